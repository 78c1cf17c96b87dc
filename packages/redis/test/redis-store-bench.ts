import type { NodeMessage } from '@passerby/core';
import type { Redis } from 'ioredis';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import type { StoreBench } from '../../core/test/store-bench.ts';
import { RedisNodeBus, RedisOutbox, RedisPairStore } from '../src/index.ts';

export interface RedisStoreBench extends StoreBench {
  pool: RedisPool;
  /** The connection of the store. */
  redis: Redis;
}

/** @param url another Redis than that of the run */
export async function redisStoreBench(url?: string): Promise<RedisStoreBench> {
  const pool = new RedisPool(url);
  const redis = await pool.connect();
  const outboxConnection = await pool.connect();
  const received = new Map<string, NodeMessage[]>();
  const log = { info: () => undefined, warn: () => undefined };
  let barriers = 0;

  return {
    pool,
    redis,
    store: new RedisPairStore(redis, pool.location),
    outbox: new RedisOutbox(outboxConnection, pool.location),
    listen: async nodeId => {
      received.set(nodeId, []);
      const bus = new RedisNodeBus(redis, await pool.connect(), { prefix: pool.prefix, log });
      await bus.listen(nodeId, {
        receive: message => received.get(nodeId)?.push(message),
        missed: () => undefined,
      });
    },
    received: async nodeId => {
      // What the scripts published came before this on the same channel.
      const userId = `barrier-${++barriers}`;
      const change = { userId, revision: 0, state: 'i' };
      await redis.publish(
        `${pool.prefix}:node:${nodeId}`,
        JSON.stringify({ v: 1, messages: [{ kind: 'change', change }] }),
      );
      const messages = received.get(nodeId) ?? [];
      const isMarker = (each: NodeMessage) => each.kind === 'change' && each.change.userId === userId;
      while (!messages.some(isMarker)) await new Promise(resolve => setImmediate(resolve));
      return messages.splice(0).filter(each => !isMarker(each));
    },
    loseData: async () => {
      const keys = await redis.keys(`${pool.prefix}:{${pool.pool}}:*`);
      const lost = keys.filter(key => !key.endsWith(':outbox'));
      if (lost.length > 0) await redis.del(...lost);
    },
    close: async () => {
      expect(await pool.keys()).toEqual([]);
      await pool.close();
    },
  };
}
