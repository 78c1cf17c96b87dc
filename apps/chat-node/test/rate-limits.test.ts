import { once } from 'node:events';
import type { ChatError } from '@passerby/core';
import { connectRedis } from '@passerby/redis';
import getPort from 'get-port';
import type { Redis } from 'ioredis';
import { eventually } from '../../../tests/support/eventually.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { readConfig } from '../src/config.ts';
import { type RateLimits, rateLimits } from '../src/rate-limits.ts';

const pool = new RedisPool();
let redis: Redis;

/** The limits of a node, each 3 in a minute for a user and 5 for an address. */
function nodeLimits(connection: Redis, settings: Record<string, string> = {}): RateLimits {
  const config = readConfig({
    REDIS_URL: pool.url,
    REDIS_PREFIX: pool.prefix,
    LIMIT_USER_MESSAGES: '3/60',
    LIMIT_USER_REQUESTS: '3/60',
    LIMIT_ADDRESS_MESSAGES: '5/60',
    LIMIT_ADDRESS_REQUESTS: '5/60',
    LIMIT_ADDRESS_CONNECTIONS: '3/60',
    LIMIT_USER_RESUMES: '2/60',
    ...settings,
  });
  return rateLimits(config, connection);
}

/** A connection to a Redis that is not there. */
async function connectNowhere(): Promise<Redis> {
  const log = { info: () => undefined, warn: () => undefined };
  return connectRedis({ url: `redis://127.0.0.1:${await getPort()}`, role: 'test', log });
}

/** The codes of the errors of several tries, one after the other. */
async function tries(count: number, attempt: () => void | Promise<void>): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < count; i++) {
    try {
      await attempt();
      codes.push('ok');
    } catch (error) {
      codes.push((error as ChatError).code);
    }
  }
  return codes;
}

const inOneMinute = (error: { retryAfterMs: number }) => {
  expect(error.retryAfterMs).toBeGreaterThan(50_000);
  expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
};

beforeAll(async () => {
  redis = await pool.connect();
});
afterAll(() => pool.close());

describe('new users of an address', () => {
  it('are counted for all nodes together', async () => {
    const [one, two] = [nodeLimits(redis), nodeLimits(await pool.connect())];
    expect(await tries(2, () => one.newUser('ann'))).toEqual(['ok', 'ok']);
    expect(await tries(2, () => two.newUser('ann'))).toEqual(['ok', 'TOO_MANY_CONNECTIONS']);
    expect(await tries(1, () => one.newUser('ann'))).toEqual(['TOO_MANY_CONNECTIONS']);
    expect(await tries(1, () => one.newUser('bob'))).toEqual(['ok']);
    await one.newUser('ann').catch(inOneMinute);
    expect.assertions(6);
  });

  it('cost Redis nothing once they are too many', async () => {
    const limits = nodeLimits(redis);
    await tries(4, () => limits.newUser('flo'));
    const key = `${pool.prefix}:limit:connections:flo`;
    const counted = await redis.get(key);
    expect(await tries(10, () => limits.newUser('flo'))).toEqual(Array(10).fill('TOO_MANY_CONNECTIONS'));
    expect(await redis.get(key)).toBe(counted);
  });

  it('are forgotten after their time', async () => {
    await nodeLimits(redis).newUser('cid');
    const key = `${pool.prefix}:limit:connections:cid`;
    const leftMs = await redis.pttl(key);
    expect(leftMs).toBeGreaterThan(50_000);
    expect(leftMs).toBeLessThanOrEqual(60_000);
  });

  it('may come again after it', async () => {
    const limits = nodeLimits(redis, { LIMIT_ADDRESS_CONNECTIONS: '1/1' });
    for (let refused = false; !refused; ) refused = (await tries(1, () => limits.newUser('gus')))[0] !== 'ok';
    await eventually(() => limits.newUser('gus'));
  });

  it('are counted by the node alone while Redis cannot be reached', async () => {
    const away = await connectNowhere();
    try {
      const limits = nodeLimits(away);
      expect(await tries(4, () => limits.newUser('ann'))).toEqual(['ok', 'ok', 'ok', 'TOO_MANY_CONNECTIONS']);
      await limits.newUser('ann').catch(inOneMinute);
      expect.assertions(3);
    } finally {
      away.disconnect();
    }
  });

  it('are counted by the node alone when Redis goes away, and for all nodes when it is back', async () => {
    const connection = await pool.connect();
    const limits = nodeLimits(connection);
    await limits.newUser('dan');
    const ended = once(connection, 'end');
    connection.disconnect();
    await ended;
    expect(await tries(4, () => limits.newUser('dan'))).toEqual(['ok', 'ok', 'ok', 'TOO_MANY_CONNECTIONS']);
    await connection.connect();
    expect(await tries(3, () => limits.newUser('dan'))).toEqual(['ok', 'ok', 'TOO_MANY_CONNECTIONS']);
  });
});

describe.each([
  ['message', 'TOO_MANY_MESSAGES'],
  ['request', 'TOO_MANY_REQUESTS'],
] as const)('a %s', (what, code) => {
  it('is counted for its user, and for all users of the address together', async () => {
    const limits = nodeLimits(redis);
    expect(await tries(4, () => limits[what]('ann', 'home'))).toEqual(['ok', 'ok', 'ok', code]);
    expect(await tries(3, () => limits[what]('bob', 'home'))).toEqual(['ok', 'ok', code]);
    expect(await tries(1, () => limits[what]('cid', 'elsewhere'))).toEqual(['ok']);
    // What is used up comes back evenly: one of the user's 3 in 20 s.
    for (const user of ['ann', 'bob']) {
      const refused = new Promise<void>(() => limits[what](user, 'home'));
      await refused.catch(({ retryAfterMs }) => {
        expect(retryAfterMs).toBeGreaterThan(10_000);
        expect(retryAfterMs).toBeLessThanOrEqual(20_000);
      });
    }
    expect.assertions(7);
  });

  it('is counted apart from the other kind', async () => {
    const limits = nodeLimits(redis);
    await tries(5, () => limits[what]('ann', 'home'));
    const other = what === 'message' ? 'request' : 'message';
    expect(await tries(1, () => limits[other]('ann', 'home'))).toEqual(['ok']);
  });

  it('does not wait for Redis', async () => {
    const away = await connectNowhere();
    try {
      const limits = nodeLimits(away);
      expect(await tries(4, () => limits[what]('ann', 'home'))).toEqual(['ok', 'ok', 'ok', code]);
    } finally {
      away.disconnect();
    }
  });

  it('is allowed again after a while', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      const limits = nodeLimits(redis);
      expect(await tries(4, () => limits[what]('ann', 'home'))).toEqual(['ok', 'ok', 'ok', code]);
      clock.mockReturnValue(1_020_000);
      expect(await tries(2, () => limits[what]('ann', 'home'))).toEqual(['ok', code]);
    } finally {
      clock.mockRestore();
    }
  });
});

describe('resuming', () => {
  it('is counted for the user once the token was good', async () => {
    const limits = nodeLimits(redis);
    const resume = () => {
      limits.mayResume('ann');
      limits.resumed('ann');
    };
    expect(await tries(3, resume)).toEqual(['ok', 'ok', 'TOO_MANY_REQUESTS']);
    expect(await tries(1, () => limits.mayResume('bob'))).toEqual(['ok']);
  });
});

it('a user who does little is not refused for what others of the address do', async () => {
  const limits = nodeLimits(redis, { LIMIT_USER_MESSAGES: '6/60', LIMIT_ADDRESS_MESSAGES: '6/60' });
  expect(await tries(7, () => limits.message('eve', 'home'))).toEqual([...Array(6).fill('ok'), 'TOO_MANY_MESSAGES']);
  expect(await tries(3, () => limits.message('ann', 'home'))).toEqual(['ok', 'ok', 'TOO_MANY_MESSAGES']);
});

it.each(['receipt', 'typing'] as const)(
  'word of a %s is counted like messages of the user, and apart from all else',
  async what => {
    const limits = nodeLimits(redis);
    expect(await tries(4, () => limits[what]('ann', 'home'))).toEqual(['ok', 'ok', 'ok', 'TOO_MANY_REQUESTS']);
    const other = what === 'receipt' ? 'typing' : 'receipt';
    expect(await tries(1, () => limits[other]('ann', 'home'))).toEqual(['ok']);
    expect(await tries(1, () => limits.message('ann', 'home'))).toEqual(['ok']);
  },
);

it('no limit holds when they are off', async () => {
  const limits = nodeLimits(redis, { RATE_LIMITS: 'off' });
  expect(new Set(await tries(50, () => limits.newUser('eve')))).toEqual(new Set(['ok']));
  expect(new Set(await tries(50, () => limits.message('eve', 'home')))).toEqual(new Set(['ok']));
  expect(new Set(await tries(50, () => limits.request('eve', 'home')))).toEqual(new Set(['ok']));
  expect(new Set(await tries(50, () => limits.typing('eve', 'home')))).toEqual(new Set(['ok']));
  expect(await redis.exists(`${pool.prefix}:limit:connections:eve`)).toBe(0);
  expect(new Set(Array.from({ length: 50_000 }, () => limits.http('eve', 20) + limits.handshake('eve')))).toEqual(
    new Set([0]),
  );
  expect(limits.open).toBe(Number.POSITIVE_INFINITY);
});
