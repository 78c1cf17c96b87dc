import { Redis } from 'ioredis';
import type { Matcher } from '../matcher.ts';
import { NaiveSessions } from './naive-sessions.ts';

/**
 * Matching as most such projects have it: a Redis list as the queue, a key for each user's partner, separate commands, and a
 * row written at once. Between two commands anything may happen; nobody is asked whether they are still there.
 */
export class NaiveMatcher implements Matcher {
  readonly #redis: Redis;
  readonly #sessions: NaiveSessions;

  constructor(redisUrl: string, databaseUrl: string) {
    this.#redis = new Redis(redisUrl);
    this.#sessions = new NaiveSessions(databaseUrl);
  }

  async search(userId: string): Promise<string | undefined> {
    const partnerId = await this.#redis.lpop('waiting');
    if (partnerId === null) {
      await this.#redis.rpush('waiting', userId);
      return undefined;
    }
    const sessionId = await this.#sessions.begin(partnerId, userId);
    await this.#redis.set(`partner:${userId}`, JSON.stringify({ partnerId, sessionId }));
    await this.#redis.set(`partner:${partnerId}`, JSON.stringify({ partnerId: userId, sessionId }));
    return partnerId;
  }

  async end(userId: string): Promise<void> {
    const chat = await this.#redis.get(`partner:${userId}`);
    if (chat === null) return;
    const { partnerId, sessionId } = JSON.parse(chat);
    await this.#redis.del(`partner:${userId}`);
    await this.#redis.del(`partner:${partnerId}`);
    await this.#sessions.end(sessionId);
  }

  async recorded(): Promise<void> {
    // Each row was written before the user went on.
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await this.#sessions.close();
  }
}
