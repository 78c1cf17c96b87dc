import type { PairRegistry, SessionStarted } from '@passerby/core';
import type { Redis } from 'ioredis';
import { type PoolLocation, poolKeys } from './keys.ts';
import { sessionIdOf } from './registry-entry.ts';

/** {@link PairRegistry} over the pair registry in Redis: one HMGET, so give it some hundreds of sessions at most. */
export class RedisPairRegistry implements PairRegistry {
  readonly #redis: Redis;
  readonly #key: string;

  constructor(redis: Redis, location: PoolLocation) {
    this.#redis = redis;
    this.#key = poolKeys(location).users;
  }

  async areAlive(sessions: readonly SessionStarted[]): Promise<boolean[]> {
    if (sessions.length === 0) return [];
    const users = sessions.flatMap(({ userA, userB }) => [userA, userB]);
    const entries = await this.#redis.hmget(this.#key, ...users);
    return sessions.map(({ sessionId }, index) =>
      entries.slice(2 * index, 2 * index + 2).some(entry => entry !== null && isIn(entry, sessionId)),
    );
  }
}

function isIn(entry: string, sessionId: string): boolean {
  try {
    return sessionIdOf(entry) === sessionId;
  } catch {
    return true;
  }
}
