import type { PairRegistry, SessionStarted } from '@passerby/core';
import type { Redis } from 'ioredis';
import { nodeChannelPrefix, type PoolLocation, poolKeys } from './keys.ts';
import { sessionIdOf } from './registry-entry.ts';
import { defineScripts } from './scripts.ts';

/** Users in one look for strays: Redis takes about a ms for it. */
const strayPageSize = 1_000;

/** {@link PairRegistry} over the pair registry in Redis. `areAlive` is one HMGET, so give it some hundreds of sessions at most. */
export class RedisPairRegistry implements PairRegistry {
  readonly #redis: Redis;
  readonly #keys: ReturnType<typeof poolKeys>;
  readonly #channels: string;

  constructor(redis: Redis, location: PoolLocation) {
    defineScripts(redis);
    this.#redis = redis;
    this.#keys = poolKeys(location);
    this.#channels = nodeChannelPrefix(location.prefix);
  }

  async areAlive(sessions: readonly SessionStarted[]): Promise<boolean[]> {
    if (sessions.length === 0) return [];
    const users = sessions.flatMap(({ userA, userB }) => [userA, userB]);
    const entries = await this.#redis.hmget(this.#keys.users, ...users);
    return sessions.map(({ sessionId }, index) =>
      entries.slice(2 * index, 2 * index + 2).some(entry => entry !== null && isIn(entry, sessionId)),
    );
  }

  adoptStrays(cursor: string): Promise<string> {
    const { users, queue, leases, outbox, away, members } = this.#keys;
    const keys = [users, queue, leases, outbox, away, members('')];
    // It may come late: it looks before it writes.
    return this.#redis.adoptStrays(...keys, this.#channels, 'inf', '', cursor, strayPageSize);
  }
}

function isIn(entry: string, sessionId: string): boolean {
  try {
    return sessionIdOf(entry) === sessionId;
  } catch {
    return true;
  }
}
