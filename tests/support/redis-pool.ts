import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connectRedis } from '@passerby/redis';
import type { Redis } from 'ioredis';

const silent = { info: () => undefined, warn: () => undefined };

/** A pool of its own in the Redis of the run: a unique prefix, and connections that close with it. */
export class RedisPool {
  readonly url = process.env.TEST_REDIS_URL ?? '';
  readonly prefix = `test-${randomBytes(6).toString('hex')}`;
  readonly pool = 'lobby';
  readonly #connections: Redis[] = [];

  get location(): { prefix: string; pool: string } {
    return { prefix: this.prefix, pool: this.pool };
  }

  async connect(options: { commandTimeoutMs?: number } = {}): Promise<Redis> {
    const redis = connectRedis({ url: this.url, role: 'test', log: silent, ...options });
    this.#connections.push(redis);
    await once(redis, 'ready');
    return redis;
  }

  /** The names of the pool's keys, without the outbox, whose entries only a recorder removes. */
  async keys(): Promise<string[]> {
    const keys = await this.#connections[0]?.keys(`${this.prefix}:*`);
    return (keys ?? []).filter(key => !key.endsWith(':outbox'));
  }

  /** Removes the outbox and the limits, which last, and closes the connections. What else is left fails the run. */
  async close(): Promise<void> {
    const redis = this.#connections[0] ?? (await this.connect());
    const lasting = await redis.keys(`${this.prefix}:limit:*`);
    await redis.del(`${this.prefix}:{${this.pool}}:outbox`, ...lasting);
    await Promise.all(
      this.#connections.map(async connection => {
        const ended = once(connection, 'end');
        connection.disconnect();
        await ended;
      }),
    );
  }
}
