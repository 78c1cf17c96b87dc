import type { NodeMessage } from '@passerby/core';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import type { StoreBench } from '../../core/test/pair-store-contract.ts';
import { RedisNodeBus, RedisOutbox, RedisPairStore } from '../src/index.ts';

export interface RedisStoreBench extends StoreBench {
  pool: RedisPool;
}

export async function redisStoreBench(): Promise<RedisStoreBench> {
  const pool = new RedisPool();
  const redis = await pool.connect();
  const outboxConnection = await pool.connect();
  const received = new Map<string, NodeMessage[]>();
  const log = { info: () => undefined, warn: () => undefined };
  let barriers = 0;

  return {
    pool,
    store: new RedisPairStore(redis, pool.location),
    outbox: new RedisOutbox(outboxConnection, pool.location),
    listen: async nodeId => {
      received.set(nodeId, []);
      const bus = new RedisNodeBus(redis, await pool.connect(), { prefix: pool.prefix, log });
      await bus.listen(nodeId, message => received.get(nodeId)?.push(message));
    },
    received: async nodeId => {
      // What the scripts published came before this on the same channel.
      const marker = `barrier-${++barriers}`;
      const message: NodeMessage = { kind: 'change', change: { userId: marker, revision: 0, state: 'idle' } };
      const encoded = JSON.stringify({ ...message, change: { ...message.change, state: 'i' } });
      await redis.publish(`${pool.prefix}:node:${nodeId}`, encoded);
      const messages = received.get(nodeId) ?? [];
      const isMarker = (each: NodeMessage) => each.kind === 'change' && each.change.userId === marker;
      while (!messages.some(isMarker)) await new Promise(resolve => setImmediate(resolve));
      return messages.splice(0).filter(each => !isMarker(each));
    },
    close: async () => {
      expect(await pool.keys()).toEqual([]);
      await pool.close();
    },
  };
}
