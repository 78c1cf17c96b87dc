import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { SessionFact } from '@passerby/core';
import { connectRedis, RedisOutbox } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { readFacts } from '../../packages/core/test/read-facts.ts';
import { eventually } from './eventually.ts';

const silent = { info: () => undefined, warn: () => undefined };

/** A pool of its own in the Redis of the run: a unique prefix, and connections that close with it. */
export class RedisPool {
  readonly url: string;
  readonly prefix = `test-${randomBytes(6).toString('hex')}`;
  readonly pool = 'lobby';
  readonly #connections: Redis[] = [];

  /** @param url another Redis than that of the run */
  constructor(url = process.env.TEST_REDIS_URL ?? '') {
    this.url = url;
  }

  get location(): { prefix: string; pool: string } {
    return { prefix: this.prefix, pool: this.pool };
  }

  async connect(options: { commandTimeoutMs?: number } = {}): Promise<Redis> {
    const redis = connectRedis({ url: this.url, role: 'test', log: silent, ...options });
    this.#connections.push(redis);
    await once(redis, 'ready');
    return redis;
  }

  /**
   * The names of the pool's keys, without those that last: the outbox, which a recorder empties, what it says, what nodes said
   * that died, and the limits.
   */
  async keys(): Promise<string[]> {
    const redis = this.#connections[0] ?? (await this.connect());
    const keys = await redis.keys(`${this.prefix}:*`);
    return keys.filter(key => !/:(outbox|epoch|recorder|nodes)$/.test(key) && !key.startsWith(`${this.prefix}:limit:`));
  }

  /** Resolves when the registry holds no user: all that the clients of the test did is over. */
  async untilEmpty(): Promise<void> {
    const redis = this.#connections[0] ?? (await this.connect());
    await eventually(async () => expect(await redis.hgetall(`${this.prefix}:{${this.pool}}:users`)).toEqual({}));
  }

  /** All session facts of the pool, oldest first. */
  async facts(): Promise<SessionFact[]> {
    const redis = this.#connections[0] ?? (await this.connect());
    return readFacts(new RedisOutbox(redis, this.location));
  }

  /** Removes what lasts and closes the connections. What else is left fails the run. */
  async close(): Promise<void> {
    const redis = this.#connections[0] ?? (await this.connect());
    const lasting = await redis.keys(`${this.prefix}:limit:*`);
    const inPool = (name: string) => `${this.prefix}:{${this.pool}}:${name}`;
    const named = ['outbox', 'refused', 'epoch', 'recorder', 'nodes'].map(inPool);
    await redis.del(...named, ...lasting);
    await Promise.all(
      this.#connections.map(async connection => {
        // One that waits to connect again has nothing to end, and so does not say that it has.
        const ended = connection.status === 'reconnecting' ? undefined : once(connection, 'end');
        connection.disconnect();
        await ended;
      }),
    );
  }
}
