import { randomBytes } from 'node:crypto';
import { LeaseLost } from './lease-lost.ts';
import type { Log } from './log.ts';
import type { PairStore } from './pair-store.ts';

export interface LeaseHooks {
  /** A lease is about to be taken for a new node id. */
  begin(nodeId: string): Promise<void>;
  /** The store answered: it can be reached. */
  renewed(): void;
  /** The lease is lost, and all that the node did under it. A new one follows under another node id. */
  lost(): void;
}

/** A heartbeat reaps at most this many users, so that it cannot delay the next heartbeat for long. */
const reapBatch = 100;
const reapBatchesPerBeat = 20;

/**
 * This process's right to act for its users, and its share in reaping the nodes that lost theirs. Renewed four times in
 * its length. A process whose lease lapsed takes another one, as another node.
 */
export class Lease {
  readonly leaseMs: number;
  readonly #store: PairStore;
  readonly #log: Log;
  #nodeId = '';
  #registered = false;
  #reachable = false;
  #stopped = false;
  #hooks: LeaseHooks | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(options: { store: PairStore; leaseMs: number; log: Log }) {
    this.leaseMs = options.leaseMs;
    this.#store = options.store;
    this.#log = options.log;
  }

  /** The id of this node; another one after each lost lease. */
  get nodeId(): string {
    return this.#nodeId;
  }

  /** Whether the lease was valid, and the store could be reached, at the last heartbeat. */
  get held(): boolean {
    return this.#registered && this.#reachable;
  }

  /**
   * Takes a lease and keeps it; while the store cannot be reached, tries again at every heartbeat. Does nothing once it
   * was stopped.
   */
  async start(hooks: LeaseHooks): Promise<void> {
    if (this.#stopped) return;
    this.#hooks = hooks;
    this.#beating = this.#beat(hooks);
    await this.#beating;
    this.#schedule(hooks);
  }

  /** Tells that the store refused the lease of this node id. Nothing happens if another one has begun already. */
  lose(nodeId: string): void {
    if (!this.#registered || nodeId !== this.#nodeId) return;
    this.#log.warn(
      { node: this.#nodeId },
      'The lease of this node lapsed. Its users are disconnected; it begins anew.',
    );
    this.#registered = false;
    this.#hooks?.lost();
  }

  /** Gives the lease back and removes what is left of this node in the store. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    if (!this.#registered) return;
    this.#registered = false;
    await this.#store.releaseLease(this.#nodeId);
    while ((await this.#store.reap(this.#nodeId, reapBatch)) > 0);
  }

  async #begin(hooks: LeaseHooks): Promise<void> {
    this.#nodeId = randomBytes(6).toString('base64url');
    await hooks.begin(this.#nodeId);
    await this.#store.register(this.#nodeId, this.leaseMs);
    this.#registered = true;
    this.#reachable = true;
    this.#log.info({ node: this.#nodeId }, 'This process is a node now.');
  }

  #schedule(hooks: LeaseHooks): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat(hooks).finally(() => this.#schedule(hooks));
    }, this.leaseMs / 4);
  }

  async #beat(hooks: LeaseHooks): Promise<void> {
    try {
      if (!this.#registered) await this.#begin(hooks);
      const { lapsed } = await this.#store.renewLease(this.#nodeId, this.leaseMs);
      this.#setReachable(true);
      hooks.renewed();
      for (const nodeId of lapsed) await this.#reap(nodeId);
    } catch (error) {
      if (error instanceof LeaseLost) this.lose(this.#nodeId);
      else this.#setReachable(false, error);
    }
  }

  async #reap(nodeId: string): Promise<void> {
    this.#log.info({ lapsed: nodeId }, 'The lease of a node lapsed. Its chats are ended.');
    for (let batch = 0; batch < reapBatchesPerBeat; batch++) {
      if ((await this.#store.reap(nodeId, reapBatch)) === 0) return;
    }
  }

  #setReachable(reachable: boolean, error?: unknown): void {
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    if (reachable) this.#log.info({}, 'The store can be reached again.');
    else this.#log.warn({ err: error }, 'The store cannot be reached. The node keeps its users and tries again.');
  }
}
