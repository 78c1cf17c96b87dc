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
      await redis.hset(keys().users, userId, `w ${nodeId} 1 1 ${lastPartner}`);
      await redis.sadd(keys().members(nodeId), userId);
    }
  };
  const empty = async () => {
    await redis.del(keys().users, keys().queue, keys().members('n1'));
  };
  const search = (userId: string): Promise<UserChange[]> =>
    bench.store.search({ userId, nodeId: 'n1', requestId: ++requestId, sessionId: `s${requestId}` });
  const partnerOf = ([change]: UserChange[]) => (change?.state === 'paired' ? change.session.partnerId : change?.state);

  beforeEach(async () => {
    requestId = 10;
    bench = await redisStoreBench();
    redis = await bench.pool.connect();
    await bench.store.register('n1', 600_000);
    await bench.store.register('n2', 600_000);
  });

  afterEach(async () => {
    for (const nodeId of ['n1', 'n2']) {
      await bench.store.releaseLease(nodeId);
      await bench.store.reap(nodeId, 1000);
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
      if (whose === 'searching') await redis.hset(keys().users, 'bob', 'i n1 1 1 ann');
      expect(partnerOf(await search('bob'))).toBe('cat');
      await empty();
    }
  });

  it('takes both out of the queue when both waited', async () => {
    await queue(['ann', 'bob']);
    expect(partnerOf(await search('ann'))).toBe('bob');
    expect(await redis.zcard(keys().queue)).toBe(0);
  });

  it('looks behind the users of lapsed nodes', async () => {
    const gone = Array.from({ length: 100 }, (_, i) => `gone${i}`);
    await queue(gone, 'n2');
    await queue(['ann']);
    await bench.store.releaseLease('n2');
    expect(partnerOf(await search('bob'))).toBe('ann');
    expect(await redis.zcard(keys().queue)).toBe(0);
  });

  it('names at most ten lapsed nodes at a time', async () => {
    const nodes = Array.from({ length: 12 }, (_, i) => `lapsed${i}`);
    for (const nodeId of nodes) {
      await bench.store.register(nodeId, 600_000);
      await bench.store.releaseLease(nodeId);
    }
    const { lapsed } = await bench.store.renewLease('n1', 600_000);
    expect(lapsed).toHaveLength(10);
    for (const nodeId of nodes) await bench.store.reap(nodeId, 10);
    expect(await bench.store.renewLease('n1', 600_000)).toEqual({ lapsed: [] });
  });
});
