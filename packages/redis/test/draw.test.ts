import type { UserChange } from '@passerby/core';
import type { Redis } from 'ioredis';
import { poolKeys } from '../src/keys.ts';
import { type RedisStoreBench, redisStoreBench } from './redis-store-bench.ts';

/*
 * In the normal course a search pairs at once whoever may be paired, so that the queue hardly ever holds two users who
 * are allowed to each other. These tests put users into it by hand.
 */
describe('drawing a partner', () => {
  let bench: RedisStoreBench;
  let redis: Redis;
  let requestId: number;
  const keys = () => poolKeys(bench.pool.location);

  /** Puts users into the queue, the first as the longest-waiting. */
  const queue = async (users: string[], nodeId = 'n1', lastPartner = '-') => {
    for (const userId of users) {
      const position = await redis.zcard(keys().queue);
      await redis.zadd(keys().queue, position, userId);
      await redis.hset(keys().users, userId, `1 w ${nodeId} 1 1 ${lastPartner} - ${position} - - -`);
      await redis.sadd(keys().members(nodeId), userId);
    }
  };
  const empty = async () => {
    await redis.del(keys().users, keys().queue, keys().members('n1'));
  };
  const search = (userId: string): Promise<UserChange[]> =>
    bench.store.search({ userId, nodeId: 'n1', requestId: ++requestId, revision: 0, sessionId: `s${requestId}` });
  const renew = (nodeId: string) => bench.store.renewLease({ nodeId, leaseMs: 600_000 });
  const reap = (nodeId: string) => bench.store.reap({ nodeId, limit: 1000, graceMs: 0 });
  const partnerOf = ([change]: UserChange[]) => (change?.state === 'paired' ? change.session.partnerId : change?.state);

  beforeEach(async () => {
    requestId = 10;
    bench = await redisStoreBench();
    redis = await bench.pool.connect();
    await renew('n1');
    await renew('n2');
  });

  afterEach(async () => {
    for (const nodeId of ['n1', 'n2']) {
      await bench.store.releaseLease(nodeId);
      await reap(nodeId);
    }
    await bench.close();
  });

  it('takes one of the eight longest-waiting, and each of them at times', async () => {
    const waiting = Array.from({ length: 20 }, (_, i) => `w${i}`);
    const drawn = new Set<string | undefined>();
    // A partner of the last one of 8 is missed in all 200 draws once in 10^11 runs.
    for (let round = 0; round < 200; round++) {
      await queue(waiting);
      drawn.add(partnerOf(await search('ann')));
      await empty();
    }
    expect([...drawn].sort()).toEqual(waiting.slice(0, 8).sort());
  });

  it.each(['waiting', 'searching'])('prefers anybody to the last partner that the %s user remembers', async whose => {
    // The draw is random: one round alone could be right by chance.
    for (let round = 0; round < 20; round++) {
      await queue(['ann'], 'n1', whose === 'waiting' ? 'bob' : '-');
      await queue(['cat']);
      if (whose === 'searching') await redis.hset(keys().users, 'bob', '1 i n1 1 1 ann - - - - -');
      expect(partnerOf(await search('bob'))).toBe('cat');
      await empty();
    }
  });

  it('takes both out of the queue when both waited', async () => {
    await queue(['ann', 'bob']);
    expect(partnerOf(await search('ann'))).toBe('bob');
    expect(await redis.zcard(keys().queue)).toBe(0);
  });

  it('looks behind the users of lapsed nodes, who keep their places', async () => {
    const lapsed = Array.from({ length: 600 }, (_, i) => `lapsed${i}`);
    await queue(lapsed, 'n2');
    await queue(['ann']);
    await bench.store.renewLease({ nodeId: 'n2', leaseMs: -1 });
    expect(partnerOf(await search('bob'))).toBe('ann');
    expect(await redis.zrange(keys().queue, '0', '-1')).toEqual(lapsed);
  });

  it('does not look on for ever: a user waits then', async () => {
    const lapsed = Array.from({ length: 640 }, (_, i) => `lapsed${i}`);
    await queue(lapsed, 'n2');
    await queue(['ann']);
    await bench.store.renewLease({ nodeId: 'n2', leaseMs: -1 });
    expect(partnerOf(await search('bob'))).toBe('waiting');
    expect(await reap('n2')).toBe(0);
    expect(partnerOf(await search('bob'))).toBe('ann');
  });

  it('names at most ten lapsed nodes at a time', async () => {
    const nodes = Array.from({ length: 12 }, (_, i) => `lapsed${i}`);
    for (const nodeId of nodes) {
      await renew(nodeId);
      await bench.store.releaseLease(nodeId);
    }
    const { lapsed } = await renew('n1');
    expect(lapsed).toHaveLength(10);
    for (const nodeId of nodes) await reap(nodeId);
    expect(await renew('n1')).toMatchObject({ lapsed: [] });
  });
});
