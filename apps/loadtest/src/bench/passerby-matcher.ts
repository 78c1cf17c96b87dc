import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis, RedisNodeBus, RedisOutbox, RedisPairStore, whenReady } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { v7 as newSessionId } from 'uuid';
import type { Matcher } from './matcher.ts';

const leaseMs = 3_600_000;
const log = { info: () => {}, warn: () => {} };

export interface PasserbyMatcherOptions {
  redisUrl: string;
  /** Of the keys. Default: the one that nodes and recorders use unless told otherwise. */
  prefix?: string;
  /** How many nodes the users live on. Each has a lease and is told of matches. */
  nodes?: number;
  /** Users who may resume. */
  resuming?: boolean;
}

interface Seat {
  node: { id: string; store: RedisPairStore };
  requestId: number;
}

/** Gives the commands that nodes give, through the real scripts, with the options that nodes use. */
export class PasserbyMatcher implements Matcher {
  readonly #connections: Redis[] = [];
  readonly #options: PasserbyMatcherOptions;
  readonly #nodes: Seat['node'][] = [];
  readonly #seats = new Map<string, Seat>();
  #outbox: RedisOutbox | undefined;
  #next = 0;

  private constructor(options: PasserbyMatcherOptions) {
    this.#options = options;
  }

  static async start(options: PasserbyMatcherOptions): Promise<PasserbyMatcher> {
    const matcher = new PasserbyMatcher(options);
    const { prefix = 'passerby', nodes = 1 } = options;
    const location = { prefix, pool: 'lobby' };
    const redis = await matcher.#connect('commands');
    const subscriber = await matcher.#connect('subscriber');
    matcher.#outbox = new RedisOutbox(await matcher.#connect('outbox'), location);
    for (let index = 0; index < nodes; index++) {
      const id = randomBytes(6).toString('base64url');
      const store = new RedisPairStore(redis, location);
      await store.renewLease({ nodeId: id, leaseMs });
      // A real node decodes and applies what it is told; here it is only received.
      const bus = new RedisNodeBus(redis, subscriber, { prefix, log });
      await bus.listen(id, { receive: () => {}, missed: () => {} });
      matcher.#nodes.push({ id, store });
    }
    return matcher;
  }

  async search(userId: string): Promise<string | undefined> {
    const seat = this.#seats.get(userId) ?? this.#seat();
    this.#seats.set(userId, seat);
    const command = { userId, nodeId: seat.node.id, requestId: seat.requestId + 1, revision: seat.requestId };
    seat.requestId += 1;
    const token = this.#options.resuming ? { token: randomBytes(16).toString('base64url') } : {};
    const [own] = await seat.node.store.search({ ...command, ...token, sessionId: newSessionId() });
    return own?.state === 'paired' ? own.session.partnerId : undefined;
  }

  async end(userId: string): Promise<void> {
    const seat = this.#seats.get(userId);
    if (!seat) return;
    seat.requestId += 1;
    const command = { userId, nodeId: seat.node.id, requestId: seat.requestId };
    await seat.node.store.leave({ ...command, reason: 'end', messages: 12, forget: false });
  }

  /** Keeps no more account of the users, who stay where they are. */
  forgetUsers(): void {
    this.#seats.clear();
  }

  async recorded(): Promise<void> {
    while (((await this.#outbox?.backlog())?.length ?? 0) > 0) await delay(5);
  }

  async close(): Promise<void> {
    for (const each of this.#connections) each.disconnect();
  }

  #seat(): Seat {
    const node = this.#nodes[this.#next++ % this.#nodes.length];
    if (!node) throw new Error('There is no node.');
    return { node, requestId: 0 };
  }

  async #connect(role: string): Promise<Redis> {
    const redis = connectRedis({ url: this.#options.redisUrl, role: `bench-${role}`, log });
    this.#connections.push(redis);
    await whenReady(redis, 10_000);
    return redis;
  }
}
