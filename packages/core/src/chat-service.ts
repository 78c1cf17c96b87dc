import { randomUUID } from 'node:crypto';
import type { ChatMessage, StateReply } from '@passerby/protocol';
import { v7 as newSessionId } from 'uuid';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Lease } from './lease.ts';
import { LeaseLost } from './lease-lost.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import type { NodeBus, NodeMessage } from './node-bus.ts';
import type { PairStore, UserCommand } from './pair-store.ts';
import type { SessionSide, UserChange } from './user-change.ts';

/*
 * What a node knows of a user is a copy of the user's entry in the pair registry:
 *
 *            search                 matched
 *   idle ──────────────▶ waiting ──────────────▶ paired
 *    ▲ ▲                    │                     │ │
 *    │ └──────── end ───────┘                     │ └── skip ──▶ waiting or paired
 *    └────────── end, or the partner left ────────┘
 *
 * The copy changes only by a UserChange from the store: in the reply to a command of this node, or in a notice that the
 * store sent because of somebody else's command. The two ways may overtake each other, so a change carries the revision
 * of the entry, and only a newer one counts. Commands of one user run one after the other. A chat message carries no
 * revision: one that comes while a command of its recipient is under way waits for it, for the reply may be the very
 * match that the message belongs to.
 */
interface User {
  readonly userId: string;
  revision: number;
  state: 'idle' | 'waiting' | 'paired';
  /** There while paired. `messages` counts both directions. */
  session: (SessionSide & { messages: number }) | undefined;
  lastRequestId: number;
  /** Commands under way that will end the session: nothing can be sent in it any more. */
  leaving: number;
  /** Commands that are not done yet. */
  pending: number;
  /** Chat messages that wait for them. */
  held: number;
  tail: Promise<unknown>;
}

/** More commands of one user, or more messages to one user, than this are not kept waiting. */
const maxPending = 50;

/** The store is told of so many departed users at a time. */
const forgetBatch = 100;

export interface ChatServiceOptions {
  store: PairStore;
  bus: NodeBus;
  clients: Clients;
  lease: Lease;
  meter: Meter;
  log: Log;
}

/** The rules of the chat for the users who are connected to this node. */
export class ChatService {
  readonly #store: PairStore;
  readonly #bus: NodeBus;
  readonly #clients: Clients;
  readonly #lease: Lease;
  readonly #meter: Meter;
  readonly #log: Log;
  readonly #users = new Map<string, User>();
  /** Users who are gone and of whom the store could not be told yet. */
  readonly #departed = new Set<User>();
  #forgetting = false;

  constructor(options: ChatServiceOptions) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#clients = options.clients;
    this.#lease = options.lease;
    this.#meter = options.meter;
    this.#log = options.log;
  }

  /** Makes this process a node that the others know: see {@link ready}. Keeps trying while it cannot. */
  async start(): Promise<void> {
    await this.#lease.start({
      begin: nodeId => this.#bus.listen(nodeId, message => this.#receive(message)),
      // Not waited for: there may be many, and the heartbeat must go on.
      renewed: () => void this.#forgetDeparted(),
      lost: () => this.#dropAll(),
    });
  }

  /** Ends what its users are doing, as if they had disconnected, and gives the lease back. Their partners are told. */
  async stop(): Promise<void> {
    await Promise.all([...this.#users.keys()].map(userId => this.disconnect(userId)));
    await this.#lease.stop();
  }

  /** Whether users can be taken now. */
  get ready(): boolean {
    return this.#lease.held;
  }

  /** How many users of this node are in each state, and how many sessions have their side `a` here. */
  census(): { idle: number; waiting: number; paired: number; sessions: number } {
    const census = { idle: 0, waiting: 0, paired: 0, sessions: 0 };
    for (const user of this.#users.values()) {
      census[user.state]++;
      if (user.session?.side === 'a') census.sessions++;
    }
    return census;
  }

  /** A user's state now. Idle for a user who is not here. */
  stateOf(userId: string): StateReply {
    const user = this.#users.get(userId);
    if (user?.session) return { state: 'paired', sessionId: user.session.sessionId };
    return { state: user?.state ?? 'idle' };
  }

  /** A user connected to this node. */
  connect(userId: string): void {
    this.#users.set(userId, {
      userId,
      revision: 0,
      state: 'idle',
      session: undefined,
      lastRequestId: 0,
      leaving: 0,
      pending: 0,
      held: 0,
      tail: Promise.resolve(),
    });
  }

  /** Looks for a partner. Rejects with `ALREADY_IN_CHAT`, which changes nothing, or `UNAVAILABLE`. */
  async search(userId: string): Promise<void> {
    const user = this.#user(userId);
    await this.#inTurn(user, async () => {
      if (user.session) throw new ChatError('ALREADY_IN_CHAT');
      await this.#search(user);
    });
  }

  /** Leaves the chat, if any, and looks for another partner, in one step. Rejects with `UNAVAILABLE`. */
  async skip(userId: string): Promise<void> {
    const user = this.#user(userId);
    await this.#leaving(user, () => this.#search(user, user.session));
  }

  /** Leaves the chat or the queue. Rejects with `UNAVAILABLE`. */
  async endChat(userId: string): Promise<void> {
    const user = this.#user(userId);
    await this.#leaving(user, async () => {
      // A user who never searched has no entry to change.
      if (user.lastRequestId === 0) return;
      await this.#run(user, command => this.#leave(user, command, { reason: 'end', forget: false }));
    });
  }

  /**
   * Sends a cleaned text to the user's partner.
   * @returns the message once it was passed on: at most once, and no promise that the partner's client has it.
   * Rejects with `NOT_IN_CHAT`, or `UNAVAILABLE` when the partner's node cannot be reached.
   */
  async send(userId: string, text: string): Promise<ChatMessage> {
    const user = this.#user(userId);
    const session = user.session;
    if (!session || user.leaving > 0) throw new ChatError('NOT_IN_CHAT');
    const message = { id: randomUUID(), message: text, at: Date.now() };
    // Counted first: the user may end the chat before the other node has the message.
    session.messages++;
    try {
      if (session.partnerNode === this.#lease.nodeId) this.#sendHere(session, message);
      else await this.#sendAway(session, message);
    } catch (error) {
      session.messages--;
      throw error;
    }
    return message;
  }

  /** The user's connection is gone. Resolves when the store knows, or will be told later because it cannot be reached. */
  async disconnect(userId: string): Promise<void> {
    const user = this.#users.get(userId);
    if (!user) return;
    this.#users.delete(userId);
    user.leaving++;
    await user.tail;
    if (user.lastRequestId > 0) await this.#forget(user);
  }

  #sendHere({ partnerId, sessionId }: SessionSide, message: ChatMessage): void {
    const partner = this.#users.get(partnerId);
    if (!partner || !this.#deliver(partner, sessionId, message)) throw new ChatError('NOT_IN_CHAT');
    this.#meter.relayed('local');
  }

  async #sendAway({ partnerNode, partnerId, sessionId }: SessionSide, message: ChatMessage): Promise<void> {
    const sent = await this.#bus.send(partnerNode, { kind: 'chat', userId: partnerId, sessionId, message });
    if (!sent) throw new ChatError('UNAVAILABLE', { retryAfterMs: this.#lease.leaseMs });
    this.#meter.relayed('remote');
  }

  #user(userId: string): User {
    const user = this.#users.get(userId);
    if (!user) throw new ChatError('UNAVAILABLE');
    return user;
  }

  /** Runs a task of a user when the ones before it are done. */
  #inTurn<Result>(user: User, task: () => Promise<Result>): Promise<Result> {
    if (user.pending >= maxPending) return Promise.reject(new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: 1000 }));
    user.pending++;
    const done = user.tail
      .then(() => {
        // A user who left meanwhile must not come into the registry again.
        if (this.#users.get(user.userId) !== user) throw new ChatError('UNAVAILABLE');
        return task();
      })
      .finally(() => user.pending--);
    user.tail = done.catch(() => undefined);
    return done;
  }

  /** Runs a command that ends the user's chat: from now on, and until it fails, nothing can be said in that chat. */
  async #leaving<Result>(user: User, command: () => Promise<Result>): Promise<Result> {
    user.leaving++;
    try {
      return await this.#inTurn(user, command);
    } finally {
      user.leaving--;
    }
  }

  async #search(user: User, skip?: { sessionId: string; messages: number }): Promise<void> {
    await this.#run(user, command =>
      this.#store.search({
        ...command,
        sessionId: newSessionId(),
        ...(skip && { skip: { sessionId: skip.sessionId, messages: skip.messages } }),
      }),
    );
  }

  /** Gives the store a command of a user who is here, and applies the reply. */
  async #run(user: User, give: (command: UserCommand) => Promise<UserChange[]>): Promise<void> {
    const command = this.#command(user);
    try {
      const changes = await give(command);
      // The registry has forgotten the user: this node was reaped, and does not know it yet.
      if (changes[0]?.revision === 0 && user.revision > 0) throw new LeaseLost(command.nodeId);
      this.#applyOwn(user, changes);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      this.#lease.lose(command.nodeId);
      throw new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  #leave(user: User, command: UserCommand, how: { reason: 'end' | 'disconnect'; forget: boolean }) {
    return this.#store.leave({ ...command, ...how, messages: user.session?.messages ?? 0 });
  }

  /** @returns whether the store knows now that the user is gone */
  async #forget(user: User): Promise<boolean> {
    try {
      const [, ...others] = await this.#leave(user, this.#command(user), { reason: 'disconnect', forget: true });
      this.#apply(others);
      this.#departed.delete(user);
      return true;
    } catch (error) {
      if (this.#departed.size === 0) {
        this.#log.warn({ err: error }, 'The store cannot be told that users leave. It will be told later.');
      }
      this.#departed.add(user);
      return false;
    }
  }

  /** Tells the store of the users who left while it could not be told, in batches, until that fails again. */
  async #forgetDeparted(): Promise<void> {
    if (this.#forgetting) return;
    this.#forgetting = true;
    for (let told = true; told && this.#departed.size > 0; ) {
      const batch = [...this.#departed].slice(0, forgetBatch);
      told = (await Promise.all(batch.map(user => this.#forget(user)))).every(Boolean);
    }
    this.#forgetting = false;
  }

  #command(user: User): UserCommand {
    return { userId: user.userId, nodeId: this.#lease.nodeId, requestId: ++user.lastRequestId };
  }

  /** Applies the reply to a command of the user. Who ends a chat is not told that it ended. */
  #applyOwn(user: User, changes: UserChange[]): void {
    const [own, ...others] = changes;
    if (own) this.#applyTo(user, own, true);
    this.#apply(others);
  }

  #apply(changes: UserChange[]): void {
    for (const change of changes) {
      const user = this.#users.get(change.userId);
      if (user) this.#applyTo(user, change, false);
    }
  }

  #applyTo(user: User, change: UserChange, own: boolean): void {
    if (change.revision <= user.revision) return;
    const before = user.session;
    const after = change.state === 'paired' ? change.session : undefined;
    const changed = before?.sessionId !== after?.sessionId;
    user.revision = change.revision;
    user.state = change.state;
    if (changed) user.session = after && { ...after, messages: 0 };
    // A partner may leave so soon that the match is not even known here: the user, who believes to wait, is told too.
    const left = change.ended ?? (before && changed && { sessionId: before.sessionId, reason: 'disconnect' as const });
    if (left && !own) this.#clients.emit(user.userId, 'partner_left', left);
    if (after && changed) {
      this.#clients.emit(user.userId, 'matched', { sessionId: after.sessionId, startedAt: after.startedAt });
      if (after.side === 'a') this.#meter.matched();
    }
  }

  #receive(message: NodeMessage): void {
    if (message.kind === 'change') {
      this.#apply([message.change]);
      return;
    }
    const user = this.#users.get(message.userId);
    if (!user || !this.#deliver(user, message.sessionId, message.message)) this.#meter.dropped();
  }

  /** @returns false if the user is not in that session; true may also mean that it is not yet known. */
  #deliver(user: User, sessionId: string, message: ChatMessage): boolean {
    if (user.pending + user.held > 0) {
      if (user.held >= maxPending) return false;
      user.held++;
      user.tail = user.tail.then(() => {
        user.held--;
        const here = this.#users.get(user.userId) === user;
        if (!here || !this.#deliverNow(user, sessionId, message)) this.#meter.dropped();
      });
      return true;
    }
    return this.#deliverNow(user, sessionId, message);
  }

  #deliverNow(user: User, sessionId: string, message: ChatMessage): boolean {
    if (user.session?.sessionId !== sessionId) return false;
    user.session.messages++;
    this.#clients.emit(user.userId, 'message', message);
    return true;
  }

  /** The registry has ended, or will end, what these users were doing: they connect again and begin anew. */
  #dropAll(): void {
    this.#users.clear();
    this.#departed.clear();
    this.#clients.closeAll();
  }
}
