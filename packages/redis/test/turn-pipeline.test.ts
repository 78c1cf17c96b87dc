import type { Redis } from 'ioredis';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { TurnPipeline } from '../src/turn-pipeline.ts';

describe('TurnPipeline', () => {
  let pool: RedisPool;
  let redis: Redis;
  let pipeline: TurnPipeline;
  let key: string;

  beforeEach(async () => {
    pool = new RedisPool();
    redis = await pool.connect();
    pipeline = new TurnPipeline(await pool.connect());
    key = `${pool.prefix}:list`;
  });

  afterEach(() => pool.close());

  it('answers a call as soon as its reply is there, not when all of the turn are', async () => {
    const first = pipeline.call<string>((commands, callback) => commands.ping(callback));
    const second = pipeline.call<[string, string] | null>((commands, callback) => commands.blpop(key, 0, callback));
    expect(await first).toBe('PONG');
    await redis.rpush(key, 'what it waits for');
    expect(await second).toEqual([key, 'what it waits for']);
  });

  it('fails only the call whose command fails', async () => {
    const first = pipeline.call<number>((commands, callback) => commands.incr(key, callback));
    const failing = pipeline.call<number>((commands, callback) => commands.llen(key, callback));
    await expect(first).resolves.toBe(1);
    await expect(failing).rejects.toThrow('WRONGTYPE');
    expect(await pipeline.call<number>((commands, callback) => commands.del(key, callback))).toBe(1);
  });
});
