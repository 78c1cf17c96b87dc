import type { FaultKind } from './faults.ts';
import type { World } from './world.ts';

const nowhere = ['127.0.0.1', '1'] as const;

/** A change of Redis's settings, and the way back. */
function setting(target: string, there: string[], back: string[]): FaultKind {
  return (world, random) => ({
    target,
    touches: { redis: true },
    holdMs: random.whole(1000, 8000),
    inject: () => command(world, there),
    heal: () => command(world, back),
  });
}

async function command(world: World, [name = '', ...args]: string[]): Promise<void> {
  const redis = world.connectRedis();
  try {
    await redis.call(name, ...args);
  } finally {
    redis.disconnect();
  }
}

/** What happens to Redis itself. */
export const redisFaults: Record<string, FaultKind> = {
  /** Stopped in good order and started again, with its data. */
  'redis-restart': (world, random) => ({
    target: 'Redis',
    touches: { redis: true },
    holdMs: random.whole(0, 3000),
    inject: () => world.redis.terminate(),
    heal: () => world.redis.start(),
  }),
  /** kill -9, and started again with what its log has. */
  'redis-kill': (world, random) => ({
    target: 'Redis',
    touches: { redis: true },
    holdMs: random.whole(0, 3000),
    inject: () => world.redis.kill(),
    heal: () => world.redis.start(),
  }),
  /** kill -9, and started again without any data. */
  'redis-wipe': (world, random) => ({
    target: 'Redis',
    touches: { redis: true, losesData: true },
    holdMs: random.whole(0, 2000),
    inject: async () => {
      await world.redis.kill();
      await world.wipeRedis();
    },
    heal: () => world.redis.start(),
  }),
  /** Stopped (SIGSTOP) and woken: everything answers late. */
  'redis-pause': (world, random) => ({
    target: 'Redis',
    touches: { redis: true },
    holdMs: random.whole(500, 10_000),
    inject: () => world.redis.freeze(),
    heal: () => world.redis.wake(),
  }),
  /** Out of memory: writes are refused. */
  'redis-full': setting('Redis', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']),
  /** A replica of a server that does not answer: writes are refused. */
  'redis-readonly': setting('Redis', ['REPLICAOF', ...nowhere], ['REPLICAOF', 'NO', 'ONE']),
};
