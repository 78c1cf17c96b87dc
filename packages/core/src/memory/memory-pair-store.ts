import type { EndReason } from '@passerby/protocol';
import type {
  KnownUser,
  LeaseRenewal,
  LeaveCommand,
  PairStore,
  ResumeCommand,
  Resumed,
  SearchCommand,
  SuspendCommand,
} from '../chat/pair-store.ts';
import type { PresentUserChange, SessionSide, UserChange } from '../chat/user-change.ts';
import { systemClock } from '../clock.ts';
import { LeaseLost } from '../lease/lease-lost.ts';
import type { MemoryChannels } from './memory-node-bus.ts';
import type { MemoryOutbox } from './memory-outbox.ts';

interface Entry {
  userId: string;
  /** Undefined while the user is away. */
  nodeId: string | undefined;
  requestId: number;
  revision: number;
  state: 'idle' | 'waiting' | 'paired';
  session: Omit<SessionSide, 'partnerNode'> | undefined;
  /** When the waiting began, as a number that grows with each. */
  place: number;
  /** When it began, in ms since the epoch. */
  waitsSince: number;
  /** The partner of the last session. */
  parted: string | undefined;
  /** Hashes of what resumes the user; the present one and the one before it. */
  tokens: string[];
}

/** How many of the longest-waiting users a partner is drawn from. */
const drawnFrom = 8;

/** The model of {@link PairStore}: the same rules, told as plainly as possible, for one process. */
export class MemoryPairStore implements PairStore {
  readonly settleMs = 0;
  readonly #channels: MemoryChannels;
  readonly #outbox: MemoryOutbox;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  /** Those of the entries that wait, so that a draw need not look at all: simulations have millions of them. */
  readonly #waiting = new Set<Entry>();
  /** When each lease lapses; 0 once it is lost. */
  readonly #leases = new Map<string, number>();
  /** Who came to live on each node and was not taken from it since; some of them have moved elsewhere. */
  readonly #members = new Map<string, Set<string>>();
  /** Until when users who are away may resume. */
  readonly #away = new Map<string, number>();
  #places = 0;
  #epoch = 1;

  constructor(options: {
    channels: MemoryChannels;
    outbox: MemoryOutbox;
    now?: () => number;
    random?: () => number;
  }) {
    this.#channels = options.channels;
    this.#outbox = options.outbox;
    this.#now = options.now ?? systemClock.date;
    this.#random = options.random ?? Math.random;
  }

  async search(command: SearchCommand): Promise<UserChange[]> {
    const { userId, nodeId, requestId } = command;
    this.#checkLease(nodeId);
    const known = this.#entries.get(userId);
    if (known && known.nodeId !== nodeId) return [elsewhere(known)];
    if (!known && command.revision > 0) return [unknown(userId)];
    if (known && known.requestId >= requestId) return [this.#change(known)];
    if (known && command.unlessChanged && known.revision !== command.revision) return [this.#change(known)];
    const user = known ?? this.#create(userId, nodeId, command.token ? [command.token] : []);
    user.requestId = requestId;
    const touched: UserChange[] = [];
    if (command.skip && user.session?.sessionId === command.skip.sessionId) {
      touched.push(...this.#endSession(user, 'skip', command.skip.messages));
    }
    if (!user.session) {
      const partner = this.#draw(user);
      if (partner) touched.push(this.#pair(partner, user, command.sessionId));
      else if (user.state !== 'waiting') this.#set(user, 'waiting');
    }
    return [this.#change(user), ...this.#livingOn(nodeId, touched)];
  }

  async leave({ userId, nodeId, requestId, reason, messages, forget }: LeaveCommand): Promise<UserChange[]> {
    const user = this.#entries.get(userId);
    if (!user) return [unknown(userId)];
    if (user.nodeId !== nodeId) {
      this.#members.get(nodeId)?.delete(userId);
      return [elsewhere(user)];
    }
    if (user.requestId >= requestId) return [this.#change(user)];
    user.requestId = requestId;
    const touched = this.#makeIdle(user, reason, messages);
    if (forget) {
      this.#entries.delete(userId);
      this.#members.get(nodeId)?.delete(userId);
    }
    return [this.#change(user), ...this.#livingOn(nodeId, touched)];
  }

  async suspend({ userId, nodeId, requestId, graceMs }: SuspendCommand): Promise<UserChange[]> {
    const user = this.#entries.get(userId);
    if (user?.nodeId === nodeId && user.requestId >= requestId) return [elsewhere(user)];
    this.#members.get(nodeId)?.delete(userId);
    if (!user) return [unknown(userId)];
    if (user.nodeId !== nodeId) return [elsewhere(user)];
    user.requestId = requestId;
    const touched = this.#suspend(user, graceMs);
    return [elsewhere(user), ...this.#livingOn(nodeId, touched)];
  }

  async resume({ userId, nodeId, token, nextToken }: ResumeCommand): Promise<Resumed | undefined> {
    const user = this.#entries.get(userId);
    if (!user?.tokens.includes(token)) return undefined;
    this.#checkLease(nodeId);
    const before = user.nodeId;
    user.nodeId = nodeId;
    this.#join(nodeId, userId);
    user.tokens = [nextToken, token];
    this.#away.delete(userId);
    user.revision++;
    if (before !== undefined && before !== nodeId) {
      this.#channels.send(before, { kind: 'change', change: elsewhere(user) });
    }
    return {
      requestId: user.requestId,
      changes: [this.#change(user), ...this.#livingOn(nodeId, this.#tellPartner(user))],
    };
  }

  async retireToken({ userId, nodeId, token }: { userId: string; nodeId: string; token: string }): Promise<void> {
    const user = this.#entries.get(userId);
    if (user?.nodeId === nodeId && user.tokens[0] === token) user.tokens = [token];
  }

  async expire(limit: number): Promise<number> {
    const due = [...this.#away].filter(([, until]) => until <= this.#now()).sort(([, a], [, b]) => a - b);
    for (const [userId] of due.slice(0, limit)) {
      const user = this.#entries.get(userId);
      if (user) this.#makeIdle(user, 'timeout', null);
      this.#entries.delete(userId);
      this.#away.delete(userId);
    }
    return Math.max(0, due.length - limit);
  }

  async sync(nodeId: string, users: readonly KnownUser[]): Promise<UserChange[]> {
    this.#checkLease(nodeId);
    return users.map(known => {
      const entry = this.#entries.get(known.userId);
      const moved = entry && entry.nodeId !== nodeId;
      if (moved && entry.revision > known.revision) return elsewhere(entry);
      if (!entry && known.revision === 0) return unknown(known.userId);
      // Nothing is lost: the user moved elsewhere, and was forgotten there.
      if (!entry && this.#members.get(nodeId)?.has(known.userId)) {
        return { userId: known.userId, revision: known.revision + 1, state: 'gone' };
      }
      const session = known.state === 'paired' ? known.session : undefined;
      const same = entry?.state === known.state && entry.session?.sessionId === session?.sessionId;
      const wins = entry && !moved && (entry.revision > known.revision || (entry.revision === known.revision && same));
      const user = wins ? entry : this.#restore(nodeId, known, entry);
      const change = this.#change(user);
      if (change.state !== 'paired' || this.#partnerOf(user)) return change;
      const partnerNode = change.session.sessionId === session?.sessionId ? session.partnerNode : undefined;
      return { ...change, session: { ...change.session, ...(partnerNode && { partnerNode }) }, unconfirmed: true };
    });
  }

  async disown(nodeId: string, userIds: readonly string[], graceMs: number): Promise<UserChange[]> {
    return userIds.flatMap(userId => {
      this.#members.get(nodeId)?.delete(userId);
      const user = this.#entries.get(userId);
      if (user?.nodeId !== nodeId) return [];
      user.requestId++;
      if (graceMs === 0) user.tokens = [];
      return this.#livingOn(nodeId, this.#takeAway(user, graceMs, 'disconnect'));
    });
  }

  async usersOf(nodeId: string): Promise<{ userIds: string[]; next: string }> {
    return { userIds: this.#membersOf(nodeId).map(user => user.userId), next: '0' };
  }

  async renewLease(lease: { nodeId: string; leaseMs: number; epoch?: string }): Promise<LeaseRenewal> {
    const { nodeId, leaseMs } = lease;
    if (lease.epoch === String(this.#epoch)) this.#checkLease(nodeId);
    this.#leases.set(nodeId, this.#now() + leaseMs);
    return {
      epoch: String(this.#epoch),
      lapsed: [...this.#leases.keys()].filter(id => !this.#isAlive(id)),
      due: [...this.#away.values()].filter(until => until <= this.#now()).length,
      waitingFacts: (await this.#outbox.backlog()).length,
    };
  }

  async releaseLease(nodeId: string): Promise<void> {
    if (this.#leases.has(nodeId)) this.#leases.set(nodeId, 0);
  }

  async reap({ nodeId, limit, graceMs }: { nodeId: string; limit: number; graceMs: number }): Promise<number> {
    if (this.#isAlive(nodeId)) return 0;
    this.#leases.set(nodeId, 0);
    const users = this.#membersOf(nodeId);
    for (const user of users.slice(0, limit)) this.#takeAway(user, graceMs, 'timeout');
    if (users.length <= limit) {
      this.#leases.delete(nodeId);
      this.#members.delete(nodeId);
    }
    return Math.max(0, users.length - limit);
  }

  /** When each lease lapses, in ms since the epoch; 0 once it is lost. */
  get leases(): ReadonlyMap<string, number> {
    return this.#leases;
  }

  /** Since when each of those in the queue waits, in ms since the epoch. */
  get waitingSince(): number[] {
    const inQueue = [...this.#entries.values()].filter(
      ({ state, nodeId }) => state === 'waiting' && nodeId !== undefined,
    );
    return inQueue.map(({ waitsSince }) => waitsSince);
  }

  /** What the registry has of each user, for whoever compares. */
  get users(): { userId: string; nodeId: string | undefined; state: Entry['state']; sessionId: string | undefined }[] {
    return [...this.#entries.values()].map(({ userId, nodeId, state, session }) => ({
      ...{ userId, nodeId, state, sessionId: session?.sessionId },
    }));
  }

  /** What happens to a server that loses what came last, such as a failover. @returns what makes all as it is now */
  capture(): () => void {
    const kept = structuredClone({
      ...{ entries: this.#entries, leases: this.#leases, members: this.#members, away: this.#away },
      ...{ places: this.#places, epoch: this.#epoch },
    });
    return () => {
      this.loseData();
      for (const [userId, entry] of kept.entries) {
        this.#entries.set(userId, entry);
        if (entry.state === 'waiting') this.#waiting.add(entry);
      }
      for (const [nodeId, lapsesAt] of kept.leases) this.#leases.set(nodeId, lapsesAt);
      for (const [nodeId, members] of kept.members) this.#members.set(nodeId, members);
      for (const [userId, until] of kept.away) this.#away.set(userId, until);
      this.#places = kept.places;
      this.#epoch = kept.epoch;
    };
  }

  /** What happens to a server without persistence that is restarted. */
  loseData(): void {
    this.#entries.clear();
    this.#waiting.clear();
    this.#leases.clear();
    this.#members.clear();
    this.#away.clear();
    this.#epoch++;
  }

  #isAlive(nodeId: string | undefined): boolean {
    return nodeId !== undefined && (this.#leases.get(nodeId) ?? 0) > this.#now();
  }

  #checkLease(nodeId: string): void {
    if (!this.#leases.get(nodeId)) throw new LeaseLost(nodeId);
  }

  /** What a node is told in reply of users whom its command touched: their own nodes are told of the others. */
  #livingOn(nodeId: string, touched: UserChange[]): UserChange[] {
    return touched.filter(({ userId }) => this.#entries.get(userId)?.nodeId === nodeId);
  }

  #membersOf(nodeId: string): Entry[] {
    return [...this.#entries.values()].filter(entry => entry.nodeId === nodeId);
  }

  #create(userId: string, nodeId: string, tokens: string[]): Entry {
    const none = { session: undefined, parted: undefined };
    const entry: Entry = {
      userId,
      nodeId,
      tokens,
      requestId: 0,
      revision: 0,
      state: 'idle',
      place: 0,
      waitsSince: 0,
      ...none,
    };
    this.#entries.set(userId, entry);
    this.#join(nodeId, userId);
    return entry;
  }

  #join(nodeId: string, userId: string): void {
    const members = this.#members.get(nodeId) ?? new Set();
    this.#members.set(nodeId, members.add(userId));
  }

  #draw(user: Entry): Entry | undefined {
    const queue = [...this.#waiting].sort((a, b) => a.place - b.place);
    const allowed: Entry[] = [];
    let parted: Entry | undefined;
    for (const other of queue) {
      if (other === user || !this.#isAlive(other.nodeId)) continue;
      if (other.parted === user.userId || user.parted === other.userId) parted ??= other;
      else if (allowed.push(other) === drawnFrom) break;
    }
    return allowed[Math.floor(this.#random() * allowed.length)] ?? parted;
  }

  #pair(waiting: Entry, user: Entry, sessionId: string): UserChange {
    const startedAt = this.#now();
    this.#set(waiting, 'paired', { sessionId, partnerId: user.userId, startedAt, side: 'a' });
    this.#set(user, 'paired', { sessionId, partnerId: waiting.userId, startedAt, side: 'b' });
    this.#outbox.add({ kind: 'started', sessionId, userA: waiting.userId, userB: user.userId, startedAt }, startedAt);
    return this.#notify(waiting);
  }

  #makeIdle(user: Entry, reason: EndReason, messages: number | null): UserChange[] {
    if (user.state === 'paired') return this.#endSession(user, reason, messages);
    if (user.state === 'waiting') this.#set(user, 'idle');
    return [];
  }

  #endSession(user: Entry, endReason: EndReason, messages: number | null): UserChange[] {
    const { session } = user;
    if (!session) return [];
    const { sessionId, startedAt, partnerId, side } = session;
    const partner = this.#partnerOf(user);
    const [userA, userB] = side === 'a' ? [user.userId, partnerId] : [partnerId, user.userId];
    const endedAt = this.#now();
    this.#outbox.add({ kind: 'ended', sessionId, userA, userB, startedAt, endedAt, endReason, messages }, endedAt);
    this.#set(user, 'idle');
    if (!partner) return [];
    this.#set(partner, 'idle');
    return [this.#notify(partner, { sessionId, reason: endReason })];
  }

  #suspend(user: Entry, graceMs: number): UserChange[] {
    const before = user.nodeId;
    user.nodeId = undefined;
    user.revision++;
    this.#away.set(user.userId, this.#now() + graceMs);
    if (before !== undefined) this.#channels.send(before, { kind: 'change', change: elsewhere(user) });
    return this.#tellPartner(user);
  }

  #takeAway(user: Entry, graceMs: number, reason: EndReason): UserChange[] {
    if (user.tokens.length > 0) return this.#suspend(user, graceMs);
    const touched = this.#makeIdle(user, reason, null);
    this.#entries.delete(user.userId);
    return touched;
  }

  #restore(nodeId: string, known: KnownUser, old: Entry | undefined): Entry {
    const session = known.state === 'paired' ? known.session : undefined;
    const same = old?.state === known.state && old.session?.sessionId === session?.sessionId;
    if (old?.session && !same) this.#endSession(old, 'lost', null);
    if (old) this.#waiting.delete(old);
    const user = this.#create(known.userId, nodeId, known.token ? [known.token] : []);
    user.requestId = known.requestId;
    user.parted = known.parted;
    const { partnerNode: _, ...side } = session ?? {};
    this.#set(user, known.state, session && (side as typeof session));
    user.revision = known.revision;
    if (old && same) Object.assign(user, { place: old.place, waitsSince: old.waitsSince });
    this.#away.delete(user.userId);
    if (session?.side === 'a' && !same) {
      const { sessionId, startedAt, partnerId } = session;
      this.#outbox.add({ kind: 'started', sessionId, userA: user.userId, userB: partnerId, startedAt }, this.#now());
    }
    if (old && old.nodeId !== nodeId) {
      // The other node may still believe to have the user.
      user.revision++;
      if (old.nodeId !== undefined) this.#channels.send(old.nodeId, { kind: 'change', change: elsewhere(user) });
      this.#tellPartner(user);
    } else if (!old && this.#partnerOf(user)) {
      // The partner may have come back meanwhile, and was told that nobody is there, or may have moved.
      if (this.#partnerOf(user)?.nodeId !== session?.partnerNode) user.revision++;
      this.#tellPartner(user);
    }
    return user;
  }

  #partnerOf(user: Entry): Entry | undefined {
    const partner = user.session && this.#entries.get(user.session.partnerId);
    return partner?.session?.sessionId === user.session?.sessionId ? partner : undefined;
  }

  /** Tells the partner where the user is. */
  #tellPartner(user: Entry): UserChange[] {
    const partner = this.#partnerOf(user);
    if (!partner) return [];
    partner.revision++;
    return [this.#notify(partner)];
  }

  #set(entry: Entry, state: Entry['state'], session?: Entry['session']): void {
    entry.state = state;
    entry.session = session;
    entry.revision++;
    if (state === 'waiting') {
      this.#waiting.add(entry);
      Object.assign(entry, { place: ++this.#places, waitsSince: this.#now() });
    } else this.#waiting.delete(entry);
    if (session) entry.parted = session.partnerId;
  }

  #notify(entry: Entry, ended?: { sessionId: string; reason: EndReason }): UserChange {
    const changed = { ...this.#change(entry), ...(ended && { ended }) };
    if (entry.nodeId !== undefined) this.#channels.send(entry.nodeId, { kind: 'change', change: changed });
    return changed;
  }

  #change(entry: Entry): PresentUserChange {
    const { userId, revision, session, state } = entry;
    if (!session) return { userId, revision, state: state === 'waiting' ? 'waiting' : 'idle' };
    const partnerNode = this.#partnerOf(entry)?.nodeId;
    return { userId, revision, state: 'paired', session: { ...session, ...(partnerNode && { partnerNode }) } };
  }
}

/** What a node learns of a user who does not live there. */
function elsewhere({ userId, revision, nodeId }: Entry): UserChange {
  return { userId, revision, state: nodeId === undefined ? 'away' : 'gone' };
}

/** What a node learns of a user who is not in the registry. */
function unknown(userId: string): UserChange {
  return { userId, revision: 0, state: 'idle' };
}
