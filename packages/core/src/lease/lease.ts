import { type Chance, systemChance } from '../chance.ts';
import type { LeaseRenewal, LeaseStore } from '../chat/pair-store.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { LeaseLost } from './lease-lost.ts';

export interface LeaseHooks {
  /** A lease is about to be taken for a new node id. */
  begin(nodeId: string): Promise<void>;
  /** The store answered: it can be reached. */
  renewed(): void;
  /** What this node and the store know of its users may differ. The store can be reached. */
  doubtful(): void;
  /** The lease is lost, and all that the node did under it. A new one follows under another node id. */
  lost(): void;
}

export interface LeaseOptions {
  store: LeaseStore;
  leaseMs: number;
  /** For how long users of a dead node may resume, in ms. */
  graceMs: number;
  log: Log;
  /** Left out: this machine's. */
  clock?: Clock;
  chance?: Chance;
}

/** So many users are taken over at a time. */
const batchSize = 100;
/** Doubts do not make heartbeats follow each other faster than this. */
const doubtPauseMs = 50;

/**
 * This process's right to act for its users, and its share in what falls due in the pool: the users of nodes that lost
 * theirs, and the users who were away for too long. Renewed four times in its length.
 *
 * A lease that lapsed is not lost yet: it is prolonged unless another node has begun to take over. A node does that only
 * after it could reach the store without interruption for a whole lease: when the store itself was away, every node gets
 * the time to come back. A process that was stopped, or computed, for longer than its lease gives the lease up by itself,
 * before it does anything else. A node id is never used again once its lease is lost.
 */
export class Lease {
  readonly leaseMs: number;
  readonly graceMs: number;
  readonly #store: LeaseStore;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #chance: Chance;
  #nodeId = '';
  #epoch: string | undefined;
  #registered = false;
  #reachable = false;
  #doubtful = false;
  #waitingFacts = 0;
  /** All by the clock's `now()`. */
  #renewedAt = 0;
  #steadySince = 0;
  #tickedAt = 0;
  readonly #stopped = new AbortController();
  #hooks: LeaseHooks | undefined;
  #ticks: unknown;
  #endPause: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  /** The renewal under way, or the last one. */
  #renewal: Promise<unknown> = Promise.resolve();
  #takingOver: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    this.leaseMs = options.leaseMs;
    this.graceMs = options.graceMs;
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#chance = options.chance ?? systemChance;
  }

  /** The id of this node; another one after each lost lease. */
  get nodeId(): string {
    return this.#nodeId;
  }

  /** Whether the lease was valid, and the store could be reached, at the last heartbeat. */
  get held(): boolean {
    return this.actsAs(this.#nodeId) && this.#reachable;
  }

  /** Whether this process may act under a node id: not before the lease is taken, nor after it is lost. */
  actsAs(nodeId: string): boolean {
    this.check();
    return this.#registered && nodeId === this.#nodeId;
  }

  /** How many facts waited in the outbox at the last heartbeat. */
  get waitingFacts(): number {
    return this.#waitingFacts;
  }

  /**
   * Takes a lease and keeps it; while the store cannot be reached, tries again at every heartbeat. Does nothing once it
   * was stopped.
   */
  async start(hooks: LeaseHooks): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#hooks = hooks;
    this.#tick();
    const first = this.#beat(hooks);
    this.#running = first.then(() => this.#keepBeating(hooks));
    await first;
  }

  /**
   * To call before anything is done for a user. If this process did nothing at all for so long that its lease may have
   * lapsed, others may have taken its users: the lease is lost.
   */
  check(): void {
    const now = this.#clock.now();
    const slept = now - this.#tickedAt > this.leaseMs / 2;
    if (slept && now - this.#renewedAt > this.leaseMs) this.#lose('This process was stopped or busy for too long.');
  }

  #tick(): void {
    this.#tickedAt = this.#clock.now();
    this.#ticks = this.#clock.setTimeout(() => {
      this.check();
      if (!this.#stopped.signal.aborted) this.#tick();
    }, this.leaseMs / 8);
  }

  /** Something does not agree with the store: it is asked at once. */
  doubt(): void {
    this.#doubtful = true;
    this.#endPause();
  }

  /** Gives the lease back, and what is left of this node in the store. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#endPause();
    this.#clock.clearTimeout(this.#ticks);
    await this.#running;
    await this.#takingOver;
    if (!this.#registered) return;
    this.#registered = false;
    await this.#store.releaseLease(this.#nodeId);
    while ((await this.#store.reap({ nodeId: this.#nodeId, limit: batchSize, graceMs: this.graceMs })) > 0);
  }

  async #keepBeating(hooks: LeaseHooks): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#pause(this.#doubtful && this.#reachable ? doubtPauseMs : this.leaseMs / 4);
      if (!this.#stopped.signal.aborted) await this.#beat(hooks);
    }
  }

  #pause(ms: number): Promise<void> {
    const startedAt = this.#clock.now();
    return new Promise(resolve => {
      const end = () => {
        this.#clock.clearTimeout(timer);
        this.#endPause = () => undefined;
        resolve();
      };
      let timer = this.#clock.setTimeout(end, ms);
      this.#endPause = () => {
        if (this.#stopped.signal.aborted) return end();
        // After a failure, a doubt does not make the store be asked faster.
        if (!this.#reachable) return;
        this.#clock.clearTimeout(timer);
        timer = this.#clock.setTimeout(end, Math.max(0, Math.min(ms, doubtPauseMs) - (this.#clock.now() - startedAt)));
      };
    });
  }

  async #beat(hooks: LeaseHooks): Promise<void> {
    const askedAt = this.#clock.now();
    const doubtful = this.#doubtful;
    this.#doubtful = false;
    try {
      const asked = this.#renew(hooks);
      this.#renewal = asked.catch(() => undefined);
      const renewal = await asked;
      // Lost while the answer was on its way: the next heartbeat begins anew.
      if (!renewal) return;
      this.#waitingFacts = renewal.waitingFacts;
      const wasAway = this.#setReachable(true);
      if (wasAway || this.#clock.now() - askedAt > this.leaseMs / 4) this.#steadySince = this.#clock.now();
      if (this.#renewed(renewal, askedAt) || wasAway || doubtful) hooks.doubtful();
      hooks.renewed();
      this.#beginTakeOver(renewal);
    } catch (error) {
      this.#doubtful ||= doubtful;
      if (error instanceof LeaseLost) this.#lose('Others have taken over its users.');
      else this.#setReachable(false, error);
    }
  }

  async #renew(hooks: LeaseHooks): Promise<LeaseRenewal | undefined> {
    const isNew = !this.#registered;
    if (isNew) {
      this.#nodeId = this.#chance.secret(6);
      this.#epoch = undefined;
      await hooks.begin(this.#nodeId);
    }
    const { leaseMs } = this;
    const lease = { nodeId: this.#nodeId, leaseMs, ...(this.#epoch && { epoch: this.#epoch }) };
    const renewal = await this.#store.renewLease(lease);
    return isNew || this.#registered ? renewal : undefined;
  }

  /** @returns whether the store has lost its data since the last heartbeat */
  #renewed({ epoch }: LeaseRenewal, askedAt: number): boolean {
    const lostData = this.#epoch !== undefined && epoch !== this.#epoch;
    if (lostData) this.#log.warn({}, 'The store has lost its data. What this node knows of its users is restored.');
    if (!this.#registered) this.#log.info({ node: this.#nodeId }, 'This process is a node now.');
    this.#registered = true;
    this.#epoch = epoch;
    this.#renewedAt = askedAt;
    return lostData;
  }

  #lose(reason: string): void {
    if (!this.#registered) return;
    this.#log.warn(
      { node: this.#nodeId },
      `The lease of this node is lost. ${reason} Its users are disconnected; it begins anew.`,
    );
    this.#registered = false;
    // Whoever was stopped may not be the only one: the others get the time to come back.
    this.#steadySince = this.#clock.now();
    this.#hooks?.lost();
    // So that others need not wait for it to lapse.
    this.#store.releaseLease(this.#nodeId).catch(() => undefined);
  }

  /** Whether this node may take over others: it could reach the store without interruption for a whole lease. */
  get #isSteady(): boolean {
    return this.#reachable && this.#clock.now() - this.#steadySince >= this.leaseMs;
  }

  /** Takes over what has fallen due, beside the heartbeats: one batch at a time, and none while a renewal is under way. */
  #beginTakeOver(renewal: LeaseRenewal): void {
    if (this.#takingOver || !this.#isSteady) return;
    this.#takingOver = this.#takeOver(renewal)
      .catch(err => {
        // That was an interruption: it is tried again after a whole lease.
        this.#steadySince = this.#clock.now();
        this.#log.warn({ err }, 'What fell due in the pool could not be taken over. It will be tried again.');
      })
      .finally(() => {
        this.#takingOver = undefined;
      });
  }

  async #takeOver({ lapsed, due }: LeaseRenewal): Promise<void> {
    for (const nodeId of lapsed) {
      this.#log.info({ lapsed: nodeId }, 'The lease of a node lapsed. Its users are away, or their chats are ended.');
      await this.#repeat(() => this.#store.reap({ nodeId, limit: batchSize, graceMs: this.graceMs }));
    }
    if (due > 0) await this.#repeat(() => this.#store.expire(batchSize));
  }

  /** Repeats a batch until nothing is left, or until this node may not go on. What is left falls due again. */
  async #repeat(batch: () => Promise<number>): Promise<void> {
    do {
      await this.#renewal;
      if (this.#stopped.signal.aborted || !this.#registered || !this.#isSteady) return;
    } while ((await batch()) > 0);
  }

  /** @returns whether it could not be reached before */
  #setReachable(reachable: boolean, error?: unknown): boolean {
    if (reachable === this.#reachable) return false;
    this.#reachable = reachable;
    if (!reachable)
      this.#log.warn({ err: error }, 'The store cannot be reached. The node keeps its users and tries again.');
    else if (this.#epoch !== undefined) this.#log.info({}, 'The store can be reached again.');
    return reachable;
  }
}
