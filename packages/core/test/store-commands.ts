import { randomUUID } from 'node:crypto';
import { isAbsent } from '../src/chat/user-change.ts';
import type { KnownUser, LeaveCommand, SearchCommand, SessionFact, SuspendCommand, UserChange } from '../src/index.ts';
import { readFacts } from './read-facts.ts';
import type { StoreBench } from './store-bench.ts';

export const leaseMs = 600_000;
export const nodes = ['n1', 'n2', 'n3'] as const;

/** Short ways to give commands to the store of a bench, with three nodes and request ids that grow. */
export class StoreCommands {
  readonly bench: StoreBench;
  #requestId = 0;

  private constructor(bench: StoreBench) {
    this.bench = bench;
  }

  static async open(open: () => Promise<StoreBench>): Promise<StoreCommands> {
    const commands = new StoreCommands(await open());
    for (const nodeId of nodes) {
      await commands.register(nodeId);
      await commands.bench.listen(nodeId);
    }
    return commands;
  }

  /** Ends everything in good order. Users who are away for longer than 0 ms must have been taken back before. */
  async close(): Promise<void> {
    const { store } = this.bench;
    for (const nodeId of nodes) {
      await store.releaseLease(nodeId);
      expect(await store.reap({ nodeId, limit: 5000, graceMs: 0 })).toBe(0);
    }
    expect(await store.expire(1000)).toBe(0);
    await this.bench.close();
  }

  get store() {
    return this.bench.store;
  }

  nextRequestId(): number {
    return ++this.#requestId;
  }

  register(nodeId: string) {
    return this.store.renewLease({ nodeId, leaseMs });
  }

  /** The lease lapsed a while ago, and nobody has touched it yet. */
  lapse(nodeId: string) {
    return this.store.renewLease({ nodeId, leaseMs: -1000 });
  }

  search(userId: string, nodeId = 'n1', more: Partial<SearchCommand> = {}): Promise<UserChange[]> {
    const command = { userId, nodeId, requestId: this.nextRequestId() };
    return this.store.search({ ...command, revision: 0, sessionId: randomUUID(), ...more });
  }

  leave(userId: string, nodeId = 'n1', more: Partial<LeaveCommand> = {}): Promise<UserChange[]> {
    const command = { userId, nodeId, requestId: this.nextRequestId() };
    return this.store.leave({ ...command, reason: 'end', messages: 0, forget: false, ...more });
  }

  /** Makes a user away whom the next call of `expire` takes, unless they resume. */
  suspend(userId: string, nodeId = 'n1', more: Partial<SuspendCommand> = {}): Promise<UserChange[]> {
    return this.store.suspend({ userId, nodeId, requestId: this.nextRequestId(), graceMs: 0, ...more });
  }

  resume(userId: string, nodeId: string, token: string, nextToken: string) {
    return this.store.resume({ userId, nodeId, token, nextToken });
  }

  /** Lets a user wait who may resume with the token `<userId>-0`. */
  searchResumable(userId: string, nodeId = 'n1', more: Partial<SearchCommand> = {}): Promise<UserChange[]> {
    return this.search(userId, nodeId, { token: `${userId}-0`, ...more });
  }

  /** Pairs two plain users, the first one as side a. @returns the id of their session */
  async pair(first: string, second: string, secondNode = 'n2'): Promise<string> {
    const sessionId = randomUUID();
    await this.search(first);
    await this.search(second, secondNode, { sessionId });
    return sessionId;
  }

  /** Pairs two users who may resume, the first one on the node n1, and forgets what the nodes were told of it. */
  async pairResumable(first: string, second: string, secondNode = 'n2'): Promise<string> {
    const sessionId = randomUUID();
    await this.searchResumable(first, 'n1');
    await this.searchResumable(second, secondNode, { sessionId });
    await this.forgetReceived();
    return sessionId;
  }

  /** The changes that a node was told of since the last time. */
  async told(nodeId: string): Promise<UserChange[]> {
    const messages = await this.bench.received(nodeId);
    return messages.map(message => {
      if (message.kind !== 'change') throw new Error(`A store sent ${JSON.stringify(message)}.`);
      return message.change;
    });
  }

  async forgetReceived(): Promise<void> {
    for (const nodeId of nodes) await this.bench.received(nodeId);
  }

  facts(): Promise<SessionFact[]> {
    return readFacts(this.bench.outbox);
  }

  async kindsOfFacts(): Promise<string[]> {
    return (await this.facts()).map(({ kind }) => kind);
  }
}

/** What a node knows of a user after the change. */
export function knownFrom(
  change: UserChange | undefined,
  more: { requestId: number; token?: string; parted?: string; revision?: number },
): KnownUser {
  if (!change || isAbsent(change)) throw new Error('A node knows nothing of a user who does not live there.');
  const { ended: _, unconfirmed: __, ...state } = change;
  return { ...state, ...more };
}
