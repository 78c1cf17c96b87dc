import {
  ChatError,
  type KnownUser,
  type LeaseRenewal,
  type LeaveCommand,
  type PairStore,
  type ResumeCommand,
  type Resumed,
  type SearchCommand,
  type SuspendCommand,
  type UserChange,
} from '../src/index.ts';

export type StoreCall = Exclude<keyof PairStore, 'settleMs'>;

/** One call that waits for the test. */
export class Held {
  /** Settles when the call has come. */
  readonly came: Promise<void>;
  /** Lets the call, or its reply, go. With an error, the caller gets that instead of the reply. */
  readonly release: (error?: Error) => void;
  readonly #arrive: () => void;
  readonly #released: Promise<Error | undefined>;

  constructor() {
    let arrive = (): void => undefined;
    let release = (_error?: Error): void => undefined;
    this.came = new Promise(resolve => {
      arrive = resolve;
    });
    this.#released = new Promise(resolve => {
      release = resolve;
    });
    this.#arrive = arrive;
    this.release = release;
  }

  async wait(): Promise<void> {
    this.#arrive();
    const error = await this.#released;
    if (error) throw error;
  }
}

interface Holds {
  before: Held[];
  after: Held[];
  late: Held[];
}

/** A pair store between a node and the store of the cluster, which does to calls and replies what a network can. */
export class HeldStore implements PairStore {
  /** While it is true, no call gets through. */
  away = false;
  /** Every command is carried out twice, as if its first reply were lost. */
  twice = false;
  /** How long after its rejection a call may still be carried out. */
  settleMs = 0;
  /** What each command, and each reply, waits for. A rejection of the second loses the reply. */
  pace: (when: 'command' | 'reply') => Promise<unknown> = async () => undefined;
  /** The calls that were made, except for those of the lease. */
  readonly calls: StoreCall[] = [];
  /** How many times the lease was renewed, or tried to be. */
  renewals = 0;
  /** All ids under which the node ever took a lease. */
  readonly nodeIds = new Set<string>();
  readonly #inner: PairStore;
  readonly #holds = new Map<StoreCall, Holds>();

  constructor(inner: PairStore) {
    this.#inner = inner;
  }

  /** Holds the next such call before it is carried out. */
  holdCommand(call: StoreCall): Held {
    return hold(this.#holdsOf(call).before);
  }

  /** Lets the next such call be carried out, and holds its reply. */
  holdReply(call: StoreCall): Held {
    return hold(this.#holdsOf(call).after);
  }

  /** Rejects the next such call, and carries it out all the same: when it is released. */
  makeLate(call: StoreCall): Held {
    return hold(this.#holdsOf(call).late);
  }

  search(command: SearchCommand): Promise<UserChange[]> {
    return this.#pass('search', () => this.#inner.search(command));
  }

  leave(command: LeaveCommand): Promise<UserChange[]> {
    return this.#pass('leave', () => this.#inner.leave(command));
  }

  suspend(command: SuspendCommand): Promise<UserChange[]> {
    return this.#pass('suspend', () => this.#inner.suspend(command));
  }

  retireToken(present: { userId: string; nodeId: string; token: string }): Promise<void> {
    return this.#pass('retireToken', () => this.#inner.retireToken(present));
  }

  resume(command: ResumeCommand): Promise<Resumed | undefined> {
    return this.#pass('resume', () => this.#inner.resume(command));
  }

  expire(limit: number): Promise<number> {
    return this.#pass('expire', () => this.#inner.expire(limit));
  }

  sync(nodeId: string, users: readonly KnownUser[]): Promise<UserChange[]> {
    return this.#pass('sync', () => this.#inner.sync(nodeId, structuredClone(users)));
  }

  disown(nodeId: string, userIds: readonly string[], graceMs: number): Promise<UserChange[]> {
    return this.#pass('disown', () => this.#inner.disown(nodeId, userIds, graceMs));
  }

  usersOf(nodeId: string, cursor: string): Promise<{ userIds: string[]; next: string }> {
    return this.#pass('usersOf', () => this.#inner.usersOf(nodeId, cursor));
  }

  renewLease(lease: { nodeId: string; leaseMs: number; epoch?: string }): Promise<LeaseRenewal> {
    this.renewals++;
    this.nodeIds.add(lease.nodeId);
    return this.#direct('renewLease', () => this.#inner.renewLease(lease));
  }

  releaseLease(nodeId: string): Promise<void> {
    return this.#direct('releaseLease', () => this.#inner.releaseLease(nodeId));
  }

  reap(node: { nodeId: string; limit: number; graceMs: number }): Promise<number> {
    return this.#direct('reap', () => this.#inner.reap(node));
  }

  async #pass<Reply>(call: StoreCall, run: () => Promise<Reply>): Promise<Reply> {
    this.calls.push(call);
    return this.#direct(call, async () => {
      await this.pace('command');
      this.#check();
      if (this.twice) await run();
      const reply = await run();
      await this.pace('reply');
      return reply;
    });
  }

  async #direct<Reply>(call: StoreCall, run: () => Promise<Reply>): Promise<Reply> {
    const { before, after, late } = this.#holdsOf(call);
    const [first, last, afterwards] = [before.shift(), after.shift(), late.shift()];
    await first?.wait();
    this.#check();
    if (afterwards) {
      void afterwards.wait().then(run);
      throw unavailable();
    }
    const reply = await run();
    await last?.wait();
    return reply;
  }

  #holdsOf(call: StoreCall): Holds {
    const holds = this.#holds.get(call) ?? { before: [], after: [], late: [] };
    this.#holds.set(call, holds);
    return holds;
  }

  #check(): void {
    if (this.away) throw unavailable();
  }
}

function hold(queue: Held[]): Held {
  const held = new Held();
  queue.push(held);
  return held;
}

export function unavailable(): ChatError {
  return new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
}
