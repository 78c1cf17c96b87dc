import { setTimeout as delay } from 'node:timers/promises';
import {
  ChatError,
  LeaseLost,
  type LeaveCommand,
  type PairStore,
  type SearchCommand,
  type UserChange,
} from '@passerby/core';
import { type Redis, ReplyError } from 'ioredis';
import { nodeChannelPrefix, type PoolLocation, poolKeys } from './keys.ts';
import { defineScripts } from './scripts.ts';
import { parseChange } from './user-change-codec.ts';

/** How many of the longest-waiting users a partner is drawn from. */
const drawnFrom = 8;
/** Waits before a command whose reply did not come is given again, in ms: short gaps heal, and a user is not kept long. */
const retryDelaysMs = [50, 250, 500];

/** {@link PairStore} in Redis: each method is one Lua script. */
export class RedisPairStore implements PairStore {
  readonly #redis: Redis;
  readonly #keys: ReturnType<typeof poolKeys>;
  readonly #channels: string;
  readonly #scriptTime: ((script: string, seconds: number) => void) | undefined;

  /** @param scriptTime is told how long each call took, in seconds, the way to Redis included */
  constructor(redis: Redis, location: PoolLocation, scriptTime?: (script: string, seconds: number) => void) {
    defineScripts(redis);
    this.#redis = redis;
    this.#keys = poolKeys(location);
    this.#channels = nodeChannelPrefix(location.prefix);
    this.#scriptTime = scriptTime;
  }

  async search({ userId, nodeId, requestId, sessionId, skip }: SearchCommand): Promise<UserChange[]> {
    const random = Math.floor(Math.random() * 2 ** 31);
    const args = [userId, nodeId, requestId, sessionId, skip?.sessionId ?? '', skip?.messages ?? '', random, drawnFrom];
    const changes = await this.#run('search-partner', nodeId, () =>
      this.#redis.searchPartner(...this.#registryKeys(nodeId), this.#channels, ...args),
    );
    return changes.map(parseChange);
  }

  async leave({ userId, nodeId, requestId, reason, messages, forget }: LeaveCommand): Promise<UserChange[]> {
    const args = [userId, requestId, reason, messages, forget ? '1' : '0'];
    const changes = await this.#run('leave-chat', nodeId, () =>
      this.#redis.leaveChat(...this.#registryKeys(nodeId), this.#channels, ...args),
    );
    return changes.map(parseChange);
  }

  async register(nodeId: string, leaseMs: number): Promise<void> {
    await this.#run('renew-lease', nodeId, () => this.#redis.renewLease(this.#keys.leases, nodeId, leaseMs, '1'));
  }

  async renewLease(nodeId: string, leaseMs: number): Promise<{ lapsed: string[] }> {
    const lapsed = await this.#run('renew-lease', nodeId, () =>
      this.#redis.renewLease(this.#keys.leases, nodeId, leaseMs, '0'),
    );
    return { lapsed };
  }

  async releaseLease(nodeId: string): Promise<void> {
    try {
      await this.#run('renew-lease', nodeId, () => this.#redis.renewLease(this.#keys.leases, nodeId, 0, '0'));
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
    }
  }

  reap(nodeId: string, limit: number): Promise<number> {
    return this.#run('reap-node', nodeId, () =>
      this.#redis.reapNode(...this.#registryKeys(nodeId), this.#channels, nodeId, limit),
    );
  }

  #registryKeys(nodeId: string): string[] {
    const { users, queue, leases, outbox, members } = this.#keys;
    return [users, queue, leases, outbox, members(nodeId)];
  }

  /** Runs a script, and again if its reply did not come: every script may be run twice. */
  async #run<Reply>(script: string, nodeId: string, call: () => Promise<Reply>): Promise<Reply> {
    for (let attempt = 0; ; attempt++) {
      const startedAt = performance.now();
      try {
        return await call();
      } catch (error) {
        const answered = error instanceof ReplyError;
        if (answered && String(error).includes('LEASE_LOST')) throw new LeaseLost(nodeId);
        const retryDelayMs = retryDelaysMs[attempt];
        if (answered || retryDelayMs === undefined) {
          throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
        }
        await delay(retryDelayMs);
      } finally {
        this.#scriptTime?.(script, (performance.now() - startedAt) / 1000);
      }
    }
  }
}
