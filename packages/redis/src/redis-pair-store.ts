import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
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
import { type Redis, ReplyError } from 'ioredis';
import { nodeChannelPrefix, type PoolLocation, poolKeys } from './keys.ts';
import { defineScripts } from './scripts.ts';
import { TurnBatch } from './turn-batch.ts';
import { encodeKnownUsers, parseChange } from './user-change-codec.ts';

/** Waits before a command whose reply did not come is given again, in ms: short gaps heal, and a user is not kept long. */
const retryDelaysMs = [50, 250, 500];
/** For what is not given again. */
const once = { delaysMs: [] };
/**
 * A script that Redis begins later than this after the call changes nothing, in ms by Redis's clock. It may have waited in
 * a connection that broke, or in a Redis that was stopped, while its caller went on. About as long as a call may take.
 */
const lateMs = 1000;
/** Replies of Redis that say that it did not carry out a command, and that may be another one a moment later. */
const passing = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|LATE) /;

export interface RedisPairStoreOptions {
  /**
   * A connection that does nothing but renew the lease, so that a renewal never waits behind a thousand commands. Left out: the
   * one of the commands. Whoever gives one doubts when the other one was gone.
   */
  renewals?: Redis;
  /** Is told how long a script took, for each user whom it served, in seconds, the way to Redis included. */
  scriptTime?(script: string, seconds: number): void;
}

/** {@link PairStore} in Redis: each method is one Lua script. */
export class RedisPairStore implements PairStore {
  /** The node's idea of Redis's clock is late by at most the time of one reply. */
  readonly settleMs = lateMs + 1000;
  readonly #redis: Redis;
  readonly #renewals: Redis;
  readonly #searches: TurnBatch<string[]>;
  readonly #leaves: TurnBatch<string[]>;
  readonly #keys: ReturnType<typeof poolKeys>;
  readonly #channels: string;
  readonly #scriptTime: RedisPairStoreOptions['scriptTime'];
  /** Redis's clock less that of `performance.now()`, in ms; known after the first renewal. */
  #clockOffsetMs = Number.POSITIVE_INFINITY;

  constructor(redis: Redis, location: PoolLocation, { renewals = redis, scriptTime }: RedisPairStoreOptions = {}) {
    for (const each of new Set([redis, renewals])) defineScripts(each);
    this.#redis = redis;
    this.#renewals = renewals;
    this.#searches = new TurnBatch((nodeId, args) =>
      redis.searchPartner(...this.#registry(nodeId), randomInteger(), ...args),
    );
    this.#leaves = new TurnBatch((nodeId, args) => redis.leaveChat(...this.#registry(nodeId), ...args));
    this.#keys = poolKeys(location);
    this.#channels = nodeChannelPrefix(location.prefix);
    this.#scriptTime = scriptTime;
  }

  async search(command: SearchCommand): Promise<UserChange[]> {
    const { userId, nodeId, requestId, revision, sessionId, token, skip, unlessChanged, repeated } = command;
    const also = skip ? `skip ${skip.sessionId} ${skip.messages ?? '-'}` : unlessChanged ? 'unchanged' : '-';
    let next = sessionId;
    const call = () => {
      const args = [userId, requestId, revision, next, token ?? '-', also];
      // A failover may have lost the match that the first one made, and its users know of it: the same id must not name two pairs.
      next = randomUUID();
      return this.#searches.ask(nodeId, args);
    };
    const changes = await this.#run('search-partner', nodeId, call, { repeated });
    return changes.map(parseChange);
  }

  async leave({ userId, nodeId, requestId, repeated, reason, messages, forget }: LeaveCommand): Promise<UserChange[]> {
    const args = [userId, requestId, reason, messages ?? '', forget ? '1' : '0'];
    const changes = await this.#run('leave-chat', nodeId, () => this.#leaves.ask(nodeId, args), { repeated });
    return changes.map(parseChange);
  }

  async suspend({ userId, nodeId, requestId, graceMs }: SuspendCommand): Promise<UserChange[]> {
    const changes = await this.#run('suspend-user', nodeId, () =>
      this.#redis.suspendUser(...this.#registry(nodeId), userId, requestId, graceMs),
    );
    return changes.map(parseChange);
  }

  async resume({ userId, nodeId, token, nextToken }: ResumeCommand): Promise<Resumed | undefined> {
    const call = () => this.#redis.resumeUser(...this.#registry(nodeId), userId, token, nextToken);
    // Not tried again: the client does that, perhaps elsewhere. Once it is told, nothing may bring the user here any more.
    const reply = await this.#run('resume-user', nodeId, call, once).catch(async error => {
      if (!(error instanceof LeaseLost)) await delay(lateMs);
      throw error;
    });
    if (!reply) return undefined;
    const [requestId, ...changes] = reply;
    return { requestId, changes: changes.map(parseChange) };
  }

  async retireToken({ userId, nodeId, token }: { userId: string; nodeId: string; token: string }): Promise<void> {
    await this.#run('retire-token', nodeId, () => this.#redis.retireToken(...this.#registry(nodeId), userId, token));
  }

  expire(limit: number): Promise<number> {
    return this.#run('expire-away', '', () => this.#redis.expireAway(...this.#registry(''), limit));
  }

  async sync(nodeId: string, users: readonly KnownUser[]): Promise<UserChange[]> {
    const call = () => this.#redis.syncUsers(...this.#registry(nodeId), encodeKnownUsers(users));
    // Not tried again: by then the users may do something else, or have left.
    const changes = await this.#run('sync-users', nodeId, call, once);
    return changes.map(parseChange);
  }

  async disown(nodeId: string, userIds: readonly string[], graceMs: number): Promise<UserChange[]> {
    const call = () => this.#redis.disownUsers(...this.#registry(nodeId), graceMs, ...userIds);
    // Not tried again: by then the users may be here.
    const changes = await this.#run('disown-users', nodeId, call, once);
    return changes.map(parseChange);
  }

  async usersOf(nodeId: string, cursor: string): Promise<{ userIds: string[]; next: string }> {
    const members = this.#keys.members(nodeId);
    const [next, userIds] = await this.#run('sscan', nodeId, () => this.#redis.sscan(members, cursor, 'COUNT', 200));
    return { userIds, next };
  }

  async renewLease(lease: { nodeId: string; leaseMs: number; epoch?: string }): Promise<LeaseRenewal> {
    const { nodeId, leaseMs, epoch = '' } = lease;
    const newEpoch = randomBytes(6).toString('base64url');
    const call = () => {
      const args = [nodeId, leaseMs, epoch, newEpoch, randomInteger(), this.#notAfter];
      return this.#renewals.renewLease(...this.#leaseKeys, ...args);
    };
    // Not tried again: a heartbeat follows, and a late answer would be mistaken for a prompt one.
    const [current, nowMs, due, waitingFacts, ...lapsed] = await this.#run('renew-lease', nodeId, call, once).catch(
      error => {
        // It was answered, so it did not wait for long: Redis's clock is another one now, and the next renewal tells it.
        if (error.cause instanceof ReplyError && error.cause.message.startsWith('LATE ')) {
          this.#clockOffsetMs = Number.POSITIVE_INFINITY;
        }
        // Perhaps only the answers do not come: then the lease must not be prolonged for longer by what cannot hear of it.
        const isSilent = this.#renewals.status === 'ready' && !(error.cause instanceof ReplyError);
        if (isSilent && !(error instanceof LeaseLost)) this.#renewals.disconnect(true);
        throw error;
      },
    );
    this.#clockOffsetMs = nowMs - performance.now();
    return { epoch: current, lapsed, due, waitingFacts };
  }

  async releaseLease(nodeId: string): Promise<void> {
    await this.#run('renew-lease', nodeId, () => this.#renewals.renewLease(...this.#leaseKeys, nodeId, 0, '', ''));
  }

  reap({ nodeId, limit, graceMs }: { nodeId: string; limit: number; graceMs: number }): Promise<number> {
    return this.#run('reap-node', nodeId, () => this.#redis.reapNode(...this.#registry(nodeId), limit, graceMs));
  }

  get #leaseKeys(): string[] {
    return [this.#keys.leases, this.#keys.epoch, this.#keys.away, this.#keys.outbox];
  }

  /** What every script on the registry begins with: the keys, the channels, when it comes too late, and the node. */
  #registry(nodeId: string): (string | number)[] {
    const { users, queue, leases, outbox, away, members } = this.#keys;
    return [users, queue, leases, outbox, away, members(nodeId), this.#channels, this.#notAfter, nodeId];
  }

  /** When a call that is made now comes too late, in ms since the epoch by Redis's clock; never, while that is not known. */
  get #notAfter(): number | string {
    const notAfter = Math.round(performance.now() + this.#clockOffsetMs) + lateMs;
    return Number.isFinite(notAfter) ? notAfter : 'inf';
  }

  /** Runs a script, and again if its reply did not come, of which `repeated` is told: every script may be run twice. */
  async #run<Reply>(
    script: string,
    nodeId: string,
    call: () => Promise<Reply>,
    { delaysMs = retryDelaysMs, repeated }: { delaysMs?: number[]; repeated?: (() => void) | undefined } = {},
  ): Promise<Reply> {
    for (let attempt = 0; ; attempt++) {
      const startedAt = performance.now();
      try {
        return await call();
      } catch (error) {
        const reply = error instanceof ReplyError ? (error as Error).message : undefined;
        if (reply?.startsWith('LEASE_LOST')) throw new LeaseLost(nodeId);
        const retryDelayMs = delaysMs[attempt];
        if ((reply !== undefined && !passing.test(reply)) || retryDelayMs === undefined) {
          throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
        }
        repeated?.();
        await delay(retryDelayMs);
      } finally {
        this.#scriptTime?.(script, (performance.now() - startedAt) / 1000);
      }
    }
  }
}

function randomInteger(): number {
  return Math.floor(Math.random() * (2 ** 31 - 1));
}
