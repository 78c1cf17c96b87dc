import type { SessionStarted } from '@passerby/core';
import type { Redis } from 'ioredis';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { RedisPairRegistry, RedisPairStore } from '../src/index.ts';

const session = (sessionId: string, userA: string, userB: string): SessionStarted => ({
  kind: 'started',
  sessionId,
  userA,
  userB,
  startedAt: 5,
});

let pool: RedisPool;
let redis: Redis;
let registry: RedisPairRegistry;

beforeEach(async () => {
  pool = new RedisPool();
  redis = await pool.connect();
  registry = new RedisPairRegistry(redis, pool.location);
});

afterEach(async () => {
  await redis.del(`${pool.prefix}:{${pool.pool}}:users`);
  expect(await pool.keys()).toEqual([]);
  await pool.close();
});

describe('RedisPairRegistry', () => {
  it('knows the sessions that one of their users is in', async () => {
    const paired = (other: string, sessionId: string) => `1 p n1 7 3 ${other} ${sessionId} 5 a - -`;
    await redis.hset(`${pool.prefix}:{${pool.pool}}:users`, {
      ann: paired('bob', 's1'),
      bob: paired('ann', 's1'),
      cat: paired('dan', 's2'),
      dan: '1 i n1 7 3 cat - - - - -',
      eve: '1 w n1 7 3 fay s3 - - - -',
      gus: paired('hal', 's9'),
      ian: '2 something of a newer node',
    });
    const sessions = [
      session('s1', 'ann', 'bob'),
      session('s2', 'dan', 'cat'),
      session('s3', 'eve', 'fay'),
      session('s4', 'gus', 'hal'),
      session('s5', 'ian', 'jim'),
      session('s6', 'kay', 'lee'),
    ];
    expect(await registry.areAlive(sessions)).toEqual([true, true, false, false, true, false]);
    expect(await registry.areAlive([])).toEqual([]);
  });

  it('understands what the scripts write', async () => {
    const store = new RedisPairStore(await pool.connect(), pool.location);
    await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's0' });
    await store.search({ userId: 'bob', nodeId: 'n1', requestId: 2, revision: 0, sessionId: 's1' });
    const sessions = [session('s1', 'ann', 'bob')];
    expect(await registry.areAlive(sessions)).toEqual([true]);
    for (const [index, userId] of ['ann', 'bob'].entries()) {
      const leave = { userId, nodeId: 'n1', requestId: 3 + index, reason: 'end', messages: 0, forget: true } as const;
      await store.leave(leave);
    }
    expect(await registry.areAlive(sessions)).toEqual([false]);
    await redis.del(`${pool.prefix}:{${pool.pool}}:leases`);
  });
});
