import { ChatError, type LeaveCommand, type PairStore, type SearchCommand, type UserChange } from '../src/index.ts';

type Command = 'search' | 'leave';

/** One command that waits for the test. */
export class Held {
  /** Settles when the command has come. */
  readonly came: Promise<void>;
  /** Lets the command, or its reply, go. With an error, the caller gets that instead of the reply. */
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

/** A pair store between a node and the store of the cluster, which does to commands and replies what a network can. */
export class HeldStore implements PairStore {
  /** While it is true, no command gets through. */
  away = false;
  /** Every command is carried out twice, as if its first reply were lost. */
  twice = false;
  /** What each command, and each reply, waits for. */
  pace: () => Promise<unknown> = async () => undefined;
  /** All commands that were given. */
  readonly commands: (SearchCommand | LeaveCommand)[] = [];
  readonly #inner: PairStore;
  readonly #before: { command: Command; held: Held }[] = [];
  readonly #after: { command: Command; held: Held }[] = [];

  constructor(inner: PairStore) {
    this.#inner = inner;
  }

  /** Holds the next such command of any user before it is carried out. */
  holdCommand(command: Command): Held {
    return hold(this.#before, command);
  }

  /** Lets the next such command of any user be carried out, and holds its reply. */
  holdReply(command: Command): Held {
    return hold(this.#after, command);
  }

  search(command: SearchCommand): Promise<UserChange[]> {
    return this.#pass('search', command, () => this.#inner.search(command));
  }

  leave(command: LeaveCommand): Promise<UserChange[]> {
    return this.#pass('leave', command, () => this.#inner.leave(command));
  }

  async register(nodeId: string, leaseMs: number): Promise<void> {
    this.#check();
    await this.#inner.register(nodeId, leaseMs);
  }

  async renewLease(nodeId: string, leaseMs: number): Promise<{ lapsed: string[] }> {
    this.#check();
    return this.#inner.renewLease(nodeId, leaseMs);
  }

  async releaseLease(nodeId: string): Promise<void> {
    this.#check();
    await this.#inner.releaseLease(nodeId);
  }

  async reap(nodeId: string, limit: number): Promise<number> {
    this.#check();
    return this.#inner.reap(nodeId, limit);
  }

  async #pass(
    name: Command,
    command: SearchCommand | LeaveCommand,
    run: () => Promise<UserChange[]>,
  ): Promise<UserChange[]> {
    this.commands.push(command);
    const [before, after] = [take(this.#before, name), take(this.#after, name)];
    await before?.wait();
    await this.pace();
    this.#check();
    if (this.twice) await run();
    const reply = await run();
    await this.pace();
    await after?.wait();
    return reply;
  }

  #check(): void {
    if (this.away) throw new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
  }
}

function hold(queue: { command: Command; held: Held }[], command: Command): Held {
  const held = new Held();
  queue.push({ command, held });
  return held;
}

function take(queue: { command: Command; held: Held }[], command: Command): Held | undefined {
  const at = queue.findIndex(each => each.command === command);
  return at < 0 ? undefined : queue.splice(at, 1)[0]?.held;
}
