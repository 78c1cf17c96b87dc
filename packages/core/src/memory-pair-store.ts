import type { EndReason } from '@passerby/protocol';
import { LeaseLost } from './lease-lost.ts';
import type { MemoryChannels } from './memory-node-bus.ts';
import type { MemoryOutbox } from './memory-outbox.ts';
import type { LeaveCommand, PairStore, SearchCommand, UserCommand } from './pair-store.ts';
import type { SessionSide, UserChange, UserState } from './user-change.ts';

type Entry = UserState & {
  userId: string;
  nodeId: string;
  requestId: number;
  revision: number;
  /** The partner of the last session. */
  parted: string | undefined;
};

/** How many of the longest-waiting users a partner is drawn from. */
const drawnFrom = 8;

/** The model of {@link PairStore}: the same rules, told as plainly as possible, for one process. */
export class MemoryPairStore implements PairStore {
  readonly #channels: MemoryChannels;
  readonly #outbox: MemoryOutbox;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  /** In the order of their waiting. */
  readonly #queue = new Set<string>();
  readonly #leases = new Map<string, number>();

  constructor(options: {
    channels: MemoryChannels;
    outbox: MemoryOutbox;
    now?: () => number;
    random?: () => number;
  }) {
    this.#channels = options.channels;
    this.#outbox = options.outbox;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  async search(command: SearchCommand): Promise<UserChange[]> {
    const known = this.#entries.get(command.userId);
    if (known && known.requestId >= command.requestId) return [change(known)];
    if (!this.#leaseIsValid(command.nodeId)) throw new LeaseLost(command.nodeId);
    const user = this.#take(command);
    const touched: UserChange[] = [];
    if (command.skip && user.state === 'paired' && user.session.sessionId === command.skip.sessionId) {
      touched.push(...this.#endSession(user, 'skip', command.skip.messages));
    }
    if (user.state !== 'paired') {
      const partner = this.#draw(user);
      if (partner) touched.push(this.#pair(partner, user, command.sessionId));
      else this.#wait(user);
    }
    return [change(user), ...touched];
  }

  async leave(command: LeaveCommand): Promise<UserChange[]> {
    const known = this.#entries.get(command.userId);
    if (!known) return [{ userId: command.userId, revision: 0, state: 'idle' }];
    if (known.requestId >= command.requestId) return [change(known)];
    const user = this.#take(command);
    const touched = this.#makeIdle(user, command.reason, command.messages);
    if (command.forget) this.#entries.delete(user.userId);
    return [change(user), ...touched];
  }

  async register(nodeId: string, leaseMs: number): Promise<void> {
    this.#leases.set(nodeId, this.#now() + leaseMs);
  }

  async renewLease(nodeId: string, leaseMs: number): Promise<{ lapsed: string[] }> {
    if (!this.#leaseIsValid(nodeId)) throw new LeaseLost(nodeId);
    this.#leases.set(nodeId, this.#now() + leaseMs);
    return { lapsed: [...this.#leases.keys()].filter(id => !this.#leaseIsValid(id)) };
  }

  async releaseLease(nodeId: string): Promise<void> {
    if (this.#leases.has(nodeId)) this.#leases.set(nodeId, 0);
  }

  async reap(nodeId: string, limit: number): Promise<number> {
    if (this.#leaseIsValid(nodeId)) return 0;
    const users = [...this.#entries.values()].filter(entry => entry.nodeId === nodeId);
    for (const user of users.slice(0, limit)) {
      this.#makeIdle(user, 'timeout', null);
      this.#entries.delete(user.userId);
    }
    if (users.length <= limit) this.#leases.delete(nodeId);
    return Math.max(0, users.length - limit);
  }

  #leaseIsValid(nodeId: string): boolean {
    return (this.#leases.get(nodeId) ?? 0) > this.#now();
  }

  #take({ userId, nodeId, requestId }: UserCommand): Entry {
    const entry = this.#entries.get(userId) ?? {
      userId,
      state: 'idle',
      revision: 0,
      nodeId,
      requestId,
      parted: undefined,
    };
    entry.requestId = requestId;
    this.#entries.set(userId, entry);
    return entry;
  }

  #draw(user: Entry): Entry | undefined {
    const allowed: Entry[] = [];
    let parted: Entry | undefined;
    for (const userId of this.#queue) {
      const other = this.#entries.get(userId);
      if (!other || other === user || !this.#leaseIsValid(other.nodeId)) continue;
      if (other.parted === user.userId || user.parted === other.userId) parted ??= other;
      else if (allowed.push(other) === drawnFrom) break;
    }
    return allowed[Math.floor(this.#random() * allowed.length)] ?? parted;
  }

  #pair(waiting: Entry, user: Entry, sessionId: string): UserChange {
    const startedAt = this.#now();
    this.#queue.delete(waiting.userId);
    this.#queue.delete(user.userId);
    this.#set(waiting, { state: 'paired', session: sideOf(user, 'a', sessionId, startedAt) });
    this.#set(user, { state: 'paired', session: sideOf(waiting, 'b', sessionId, startedAt) });
    this.#outbox.add({ kind: 'started', sessionId, userA: waiting.userId, userB: user.userId, startedAt }, startedAt);
    return this.#notify(waiting);
  }

  #wait(user: Entry): void {
    if (user.state === 'waiting') return;
    this.#set(user, { state: 'waiting' });
    this.#queue.add(user.userId);
  }

  #makeIdle(user: Entry, reason: EndReason, messages: number | null): UserChange[] {
    if (user.state === 'paired') return this.#endSession(user, reason, messages);
    this.#queue.delete(user.userId);
    if (user.state === 'waiting') this.#set(user, { state: 'idle' });
    return [];
  }

  #endSession(user: Entry, endReason: EndReason, messages: number | null): UserChange[] {
    if (user.state !== 'paired') return [];
    const { sessionId, startedAt, partnerId, side } = user.session;
    const partner = this.#entries.get(partnerId);
    const [userA, userB] = side === 'a' ? [user.userId, partnerId] : [partnerId, user.userId];
    const endedAt = this.#now();
    this.#outbox.add({ kind: 'ended', sessionId, userA, userB, startedAt, endedAt, endReason, messages }, endedAt);
    this.#set(user, { state: 'idle' });
    user.parted = partnerId;
    if (!partner) return [];
    this.#set(partner, { state: 'idle' });
    partner.parted = user.userId;
    return [this.#notify(partner, { sessionId, reason: endReason })];
  }

  #set(entry: Entry, state: UserState): void {
    Object.assign(entry, { session: undefined }, state);
    entry.revision++;
  }

  #notify(entry: Entry, ended?: { sessionId: string; reason: EndReason }): UserChange {
    const changed = { ...change(entry), ...(ended && { ended }) };
    this.#channels.send(entry.nodeId, { kind: 'change', change: changed });
    return changed;
  }
}

function sideOf(partner: Entry, side: 'a' | 'b', sessionId: string, startedAt: number): SessionSide {
  return { sessionId, partnerId: partner.userId, partnerNode: partner.nodeId, startedAt, side };
}

function change(entry: Entry): UserChange {
  const { userId, revision } = entry;
  if (entry.state === 'paired') return { userId, revision, state: 'paired', session: entry.session };
  return { userId, revision, state: entry.state };
}
