import {
  ChatError,
  type KnownUser,
  LeaseLost,
  type LeaseRenewal,
  type LeaveCommand,
  type PairStore,
  type ResumeCommand,
  type Resumed,
  type SearchCommand,
  type SuspendCommand,
  type UserChange,
} from '@passerby/core';
import type { Host, Scheduler } from './scheduler.ts';
import { RedisRefusal, type SimulatedRedis } from './simulated-redis.ts';
import type { Wire } from './wire.ts';

/** As packages/redis has them. */
const retryDelaysMs = [50, 250, 500];
const lateMs = 1000;
const passing = /^(READONLY|LOADING|LATE) /;

/** {@link PairStore} over a simulated connection: gives up, and gives again, as the one in Redis does. */
export class SimulatedPairStore implements PairStore {
  readonly settleMs = lateMs + 1000;
  readonly #scheduler: Scheduler;
  readonly #redis: SimulatedRedis;
  readonly #host: Host;
  readonly #commands: Wire;
  readonly #renewals: Wire;

  constructor(options: {
    scheduler: Scheduler;
    redis: SimulatedRedis;
    host: Host;
    commands: Wire;
    renewals: Wire;
  }) {
    this.#scheduler = options.scheduler;
    this.#redis = options.redis;
    this.#host = options.host;
    this.#commands = options.commands;
    this.#renewals = options.renewals;
  }

  search({ repeated, ...command }: SearchCommand): Promise<UserChange[]> {
    const { sessionId } = command;
    let attempts = 0;
    const act = () => {
      const attempt = attempts++;
      return this.#redis.store.search(attempt === 0 ? command : { ...command, sessionId: `${sessionId}-${attempt}` });
    };
    return this.#ofUser('search', act, repeated);
  }

  leave({ repeated, ...command }: LeaveCommand): Promise<UserChange[]> {
    return this.#ofUser('leave', () => this.#redis.store.leave(command), repeated);
  }

  suspend({ repeated: _, ...command }: SuspendCommand): Promise<UserChange[]> {
    return this.#run('suspend', () => this.#redis.store.suspend(command));
  }

  async resume(command: ResumeCommand): Promise<Resumed | undefined> {
    try {
      return await this.#run('resume', () => this.#redis.store.resume(command), { delaysMs: [] });
    } catch (error) {
      if (!(error instanceof LeaseLost)) await this.#delay(lateMs);
      throw error;
    }
  }

  retireToken(present: { userId: string; nodeId: string; token: string }): Promise<void> {
    return this.#run('retire', () => this.#redis.store.retireToken(present));
  }

  expire(limit: number): Promise<number> {
    return this.#run('expire', () => this.#redis.store.expire(limit));
  }

  sync(nodeId: string, users: readonly KnownUser[]): Promise<UserChange[]> {
    return this.#run('sync', () => this.#redis.store.sync(nodeId, users), { delaysMs: [] });
  }

  disown(nodeId: string, userIds: readonly string[], graceMs: number): Promise<UserChange[]> {
    return this.#run('disown', () => this.#redis.store.disown(nodeId, userIds, graceMs), { delaysMs: [] });
  }

  usersOf(nodeId: string): Promise<{ userIds: string[]; next: string }> {
    return this.#run('users', () => this.#redis.store.usersOf(nodeId));
  }

  async renewLease(lease: { nodeId: string; leaseMs: number; epoch?: string }): Promise<LeaseRenewal> {
    const call = () => this.#redis.store.renewLease(lease);
    try {
      return await this.#run('renew', call, { delaysMs: [], wire: this.#renewals });
    } catch (error) {
      // Perhaps only the answers do not come.
      const isSilent = error instanceof ChatError && !(error.cause instanceof RedisRefusal);
      if (isSilent) this.#renewals.abandon();
      throw error;
    }
  }

  releaseLease(nodeId: string): Promise<void> {
    return this.#run('release', () => this.#redis.store.releaseLease(nodeId), { wire: this.#renewals });
  }

  reap(node: { nodeId: string; limit: number; graceMs: number }): Promise<number> {
    return this.#run('reap', () => this.#redis.store.reap(node));
  }

  #ofUser<Reply>(what: string, act: () => Promise<Reply>, repeated: (() => void) | undefined): Promise<Reply> {
    return this.#run(what, act, { repeated });
  }

  async #run<Reply>(
    what: string,
    act: () => Promise<Reply>,
    options: { delaysMs?: number[]; repeated?: (() => void) | undefined; wire?: Wire } = {},
  ): Promise<Reply> {
    const { delaysMs = retryDelaysMs, repeated, wire = this.#commands } = options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await wire.call(what, this.#intoStore(what, act));
      } catch (error) {
        if (error instanceof LeaseLost) throw error;
        const delayMs = delaysMs[attempt];
        const isFinal = error instanceof RedisRefusal && !passing.test(error.message);
        if (isFinal || delayMs === undefined) throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
        repeated?.();
        await this.#delay(delayMs);
      }
    }
  }

  /** What a script begins with. */
  #intoStore<Reply>(what: string, act: () => Promise<Reply>): () => Promise<Reply> {
    const notAfter = this.#scheduler.now + lateMs;
    return async () => {
      const { refuses } = this.#redis;
      if (refuses !== undefined && what !== 'users') throw new RedisRefusal(refuses);
      if (this.#scheduler.now > notAfter && what !== 'release') throw new RedisRefusal('LATE ');
      return act();
    };
  }

  #delay(ms: number): Promise<void> {
    return new Promise(resolve => this.#scheduler.after(ms, 'delay', resolve, this.#host));
  }
}
