import type { Backlog, ChatService, Clients, Lease, Outbox, PoolStatus, StatusBoard } from '@passerby/core';
import { LobbyNews } from './lobby-news.ts';
import type { OwnStatus } from './own-status.ts';
import { PoolHistory, type PoolSample } from './pool-history.ts';

/** With short leases, as in tests, it is more often: two times in the length of a lease at least. */
const postEveryMs = 2000;
/** The pool is looked at with every so many posts, also when nobody asks: for its history, and for the clients. */
const postsToRead = 2;

/** What one node knows of the pool. */
export interface PoolReport extends PoolStatus {
  /** When it was read, in ms since the epoch, by this node's clock. */
  at: number;
  /** The node that answers. */
  nodeId: string;
  outbox: Backlog;
}

export interface PoolWatchOptions {
  board: StatusBoard;
  outbox: Pick<Outbox, 'backlog'>;
  own: OwnStatus;
  service: ChatService;
  clients: Clients;
  lease: Lease;
}

/**
 * Says how this node is, and looks how all of them are: the one source for the status page, the clients' `lobby`, and what
 * the metrics say of the pool. While Redis cannot be reached, everybody keeps what they had.
 */
export class PoolWatch {
  readonly #options: PoolWatchOptions;
  readonly #history = new PoolHistory();
  readonly #lobby: LobbyNews;
  readonly #postEveryMs: number;
  #posts = 0;
  #timer: NodeJS.Timeout | undefined;
  #last: PoolReport | undefined;
  /** When that was read, on the clock of `performance.now()`: the other one may be set back. */
  #lastAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<PoolReport> | undefined;
  #ticking: Promise<void> | undefined;

  constructor(options: PoolWatchOptions) {
    this.#options = options;
    this.#postEveryMs = Math.min(postEveryMs, 0.4 * options.lease.leaseMs);
    this.#lobby = new LobbyNews(options);
  }

  /** Begins to post and to look. */
  start(): void {
    const tick = () => {
      // One at a time: while Redis hangs, a tick takes longer than the pause between two.
      this.#ticking ??= this.#tick()
        .catch(() => undefined)
        .finally(() => {
          this.#ticking = undefined;
        });
    };
    this.#timer ??= setInterval(tick, this.#postEveryMs);
    tick();
  }

  /** Takes off what this node said. To be called when its lease has been given up. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
    const { own, board, lease } = this.#options;
    own.stop();
    await board.removeNode(lease.nodeId);
  }

  /** Tells a user who has just been welcomed how the lobby is. */
  greet(userId: string): void {
    if (!this.#lobby.greet(userId)) this.read().catch(() => undefined);
  }

  /** The last that is known, perhaps some seconds old; undefined when it is not worth telling any more. */
  get known(): PoolReport | undefined {
    return performance.now() - this.#lastAt < 4 * postEveryMs * postsToRead ? this.#last : undefined;
  }

  /** Samples of the last minutes that were taken later than this, in ms since the epoch, oldest first. */
  samplesSince(at: number): PoolSample[] {
    return this.#history.since(at);
  }

  /** What is known of the pool now. Rejects with `UNAVAILABLE` when Redis cannot be reached. */
  async read(): Promise<PoolReport> {
    // Good for everyone who asks in a moment.
    if (this.#last && performance.now() - this.#lastAt < this.#postEveryMs / 2) return this.#last;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #tick(): Promise<void> {
    const { board, own, lease } = this.#options;
    const status = await own.read({ begin: true });
    if (lease.held) await board.postNode(lease.nodeId, status);
    if (this.#posts++ % postsToRead === 0) await this.read();
  }

  async #read(): Promise<PoolReport> {
    const { board, outbox, own, lease } = this.#options;
    const [pool, backlog, status] = await Promise.all([board.read(), outbox.backlog(), own.read({ begin: false })]);
    const at = Date.now();
    const { nodeId } = lease;
    this.#history.add(pool, backlog, at);
    // What this node knows of itself is newer than what it said.
    const nodes = pool.nodes.map(node => (node.nodeId === nodeId ? { ...node, last: { status, ageMs: 0 } } : node));
    this.#last = { ...pool, nodes, at, nodeId, outbox: backlog };
    this.#lastAt = performance.now();
    this.#lobby.update(this.#last).catch(() => undefined); // It is told the next time.
    return this.#last;
  }
}
