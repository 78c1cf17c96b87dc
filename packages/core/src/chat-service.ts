import type { ChatMessage, Place, Receipt, ServerEvents, StateReply, Typing } from '@passerby/protocol';
import { type Chance, systemChance } from './chance.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import { type Clock, systemClock } from './clock.ts';
import { inSlices } from './in-slices.ts';
import type { Lease } from './lease.ts';
import { LeaseLost } from './lease-lost.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import type { NodeBus, NodeMessage } from './node-bus.ts';
import type { PairStore, UserCommand } from './pair-store.ts';
import { type Arrival, Passages } from './passages.ts';
import { Reconciler } from './reconciler.ts';
import { Relay } from './relay.ts';
import { type Leaving, type LocalSession, User } from './user.ts';
import { type AbsentUserChange, isAbsent, type UserChange } from './user-change.ts';

export interface ChatServiceOptions {
  store: PairStore;
  bus: NodeBus;
  clients: Clients;
  lease: Lease;
  meter: Meter;
  log: Log;
  /** Left out: this machine's. */
  clock?: Clock;
  chance?: Chance;
  /**
   * Resolves when it is the turn of a search by somebody in no chat, or of a skip: whoever looks for a partner waits anyway, and a
   * busy node lets others go first. Rejects with `UNAVAILABLE` when that would take too long. Left out: at once.
   */
  turn?: (what: 'search' | 'skip') => Promise<void>;
}

/**
 * A command that has waited for so long for the user's commands before it is refused: while the store does not answer each
 * of them takes a second, and the last one of many would be answered much too late.
 */
const turnWithinMs = 3000;

/** The rules of the chat for the users who are connected to this node. */
export class ChatService {
  readonly #store: PairStore;
  readonly #bus: NodeBus;
  readonly #clients: Clients;
  readonly #lease: Lease;
  readonly #meter: Meter;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #turn: ChatServiceOptions['turn'];
  readonly #users = new Map<string, User>();
  readonly #passages: Passages;
  readonly #relay: Relay;
  readonly #reconciler: Reconciler;

  constructor(given: ChatServiceOptions) {
    const options = { clock: systemClock, chance: systemChance, ...given };
    this.#store = options.store;
    this.#bus = options.bus;
    this.#clients = options.clients;
    this.#lease = options.lease;
    this.#meter = options.meter;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#chance = options.chance;
    this.#turn = options.turn;
    this.#relay = new Relay({ ...options, users: this.#users, suspect: userId => this.#reconciler.suspect(userId) });
    this.#reconciler = new Reconciler({
      ...options,
      users: this.#users,
      isPassing: userId => this.#passages.has(userId),
      apply: changes => this.#apply(changes),
      search: user => this.#searchAgain(user),
      end: (user, reason) => this.#endUnasked(user, reason),
    });
    this.#passages = new Passages({
      ...options,
      users: this.#users,
      reconciler: this.#reconciler,
      apply: changes => this.#apply(changes),
      receive: message => this.#receive(message),
      searchAgain: user => this.#searchAgain(user),
    });
  }

  /** Makes this process a node that the others know: see {@link ready}. Keeps trying while it cannot. */
  async start(): Promise<void> {
    await this.#lease.start({
      begin: nodeId =>
        this.#bus.listen(nodeId, {
          receive: message => this.#receive(message),
          missed: () => {
            this.#relay.missed().catch(err => this.#log.warn({ err }, 'Not everyone was told of what may be missing.'));
            this.#lease.doubt();
          },
        }),
      doubtful: () => this.#reconciler.doubtAll(),
      // Not waited for: there may be much to do, and the heartbeat must go on.
      renewed: () => {
        this.#relay.beat();
        void this.#reconciler.work();
      },
      lost: () => this.#dropAll(),
    });
  }

  /**
   * Gives up its users and its lease: who may resume is away from now on, the others have left, and the partners are told.
   * Their connections stay: closing them is the caller's part.
   */
  async stop(): Promise<void> {
    const leave = (slice: string[]) => Promise.all(slice.map(userId => this.disconnect(userId, 'lost')));
    await inSlices(this.#clock, [...this.#users.keys()], leave);
    await this.#lease.stop();
  }

  /** Whether users can be taken now. */
  get ready(): boolean {
    return this.#lease.held;
  }

  /** The users who are here: whether they may resume elsewhere, and what they are doing. */
  get present(): { userId: string; resumes: boolean; state: StateReply['state'] }[] {
    return [...this.#users.values()].map(({ userId, token, state }) => ({
      userId,
      resumes: token !== undefined,
      state,
    }));
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

  /** A plain user connected to this node. */
  connect(userId: string): void {
    this.#lease.check();
    this.#users.set(userId, new User(this.#clock, userId));
  }

  /**
   * A client that can resume connected to this node. With a token that is good, it is the same user again; otherwise a new
   * one. The client is attached and welcomed.
   * @param newUserId the id of the user if it is a new one
   * @returns the user's id
   * Rejects with `UNAVAILABLE` when it cannot be known now whether the token is good.
   */
  async resume(newUserId: string, token: string | undefined, arrival: Arrival): Promise<string> {
    this.#lease.check();
    return this.#passages.resume(newUserId, token, arrival);
  }

  /** The client is known to have its welcome: a token that the user had before is worth nothing any more. */
  heard(userId: string): void {
    this.#lease.check();
    const user = this.#users.get(userId);
    if (user?.isTokenNew) void this.#passages.retireToken(user);
  }

  /** Looks for a partner. Rejects with `ALREADY_IN_CHAT`, which changes nothing, or `UNAVAILABLE`. */
  async search(userId: string): Promise<void> {
    const user = this.#user(userId);
    await user.inTurn(async () => {
      if (!user.session && user.state === 'idle') await this.#waitForTurn(user, 'search');
      if (user.session) throw new ChatError('ALREADY_IN_CHAT');
      await this.#search(user);
    }, turnWithinMs);
  }

  /**
   * Leaves the chat, if any, and looks for another partner, in one step. Rejects with `UNAVAILABLE`.
   * @param sessionId the chat that is meant, if the client names one. Rejects with `NOT_IN_CHAT`, and changes nothing, when the
   * user is not in it by then
   */
  async skip(userId: string, sessionId?: string): Promise<void> {
    const user = this.#user(userId);
    const leaving: Leaving = { ends: user.isIn(sessionId) ? user.session : undefined };
    const skip = async () => {
      await this.#waitForTurn(user, user.session ? 'skip' : 'search');
      if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
      leaving.ends = user.session;
      await this.#search(user, { skip: user.session });
    };
    await this.#leave(user, leaving, () => user.inTurn(skip, turnWithinMs));
  }

  /** Within the user's own order, so that what the user asks for next comes after it. */
  async #waitForTurn(user: User, what: 'search' | 'skip'): Promise<void> {
    if (!this.#turn) return;
    await this.#turn(what);
    if (user.gone) throw new ChatError('UNAVAILABLE');
  }

  /** Leaves the chat or the queue. Rejects with `UNAVAILABLE`. @param sessionId as for {@link skip} */
  async endChat(userId: string, sessionId?: string): Promise<void> {
    const user = this.#user(userId);
    if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
    await this.#leave(user, { ends: sessionId === undefined ? 'any' : user.session }, () =>
      user.inTurn(async () => {
        if (!user.isIn(sessionId)) throw new ChatError('NOT_IN_CHAT');
        await this.#end(user, 'end');
      }, turnWithinMs),
    );
  }

  /**
   * Sends a cleaned text to the user's partner.
   * @param place the session that the text is meant for, if the client names one, and there its number. A plain client numbers
   * nothing: what it says of that is ignored
   * @returns the message once it was passed on: at most once, and no promise that the partner's client has it.
   * Rejects with `NOT_IN_CHAT`, with `PARTNER_AWAY`, or with `UNAVAILABLE` when the partner's node cannot be reached.
   */
  async send(userId: string, text: string, place: Place = {}): Promise<ChatMessage> {
    return this.#relay.send(this.#user(userId), text, place);
  }

  /** Tells the partner what a resuming client has received. Rejects with `NOT_IN_CHAT` or `UNAVAILABLE`. */
  async acknowledge(userId: string, receipt: Receipt): Promise<void> {
    await this.#relay.acknowledge(this.#user(userId), receipt);
  }

  /** Tells the partner, at most once, whether the user is writing. Rejects with `NOT_IN_CHAT` or `UNAVAILABLE`. */
  async tellTyping(userId: string, typing: Typing): Promise<void> {
    await this.#relay.tellTyping(this.#user(userId), typing);
  }

  /**
   * The user's connection is gone. One who can resume is away if the connection was `lost`, and not if the client `left`.
   * Resolves when the store knows, or will be told later because it cannot be reached.
   */
  async disconnect(userId: string, how: 'lost' | 'left'): Promise<void> {
    const user = this.#users.get(userId);
    if (!user) return;
    await this.#passages.disconnect(user, how);
  }

  #user(userId: string): User {
    this.#lease.check();
    const user = this.#users.get(userId);
    if (!user) throw new ChatError('UNAVAILABLE');
    // Who sends something has been welcomed.
    if (user.isTokenNew) void this.#passages.retireToken(user);
    return user;
  }

  /** Gives a command that ends a chat of the user's. */
  async #leave(user: User, leaving: Leaving, give: () => Promise<void>): Promise<void> {
    user.leaving.add(leaving);
    try {
      await give();
    } finally {
      user.leaving.delete(leaving);
    }
  }

  /**
   * Looks for a partner for a user who did not ask again, unless a command of the user comes first, or somebody else's: a chat
   * may have begun meanwhile, and may even be over. Never rejects: if it fails, it is tried again.
   */
  async #searchAgain(user: User): Promise<void> {
    const { state, lastRequestId } = user;
    const search = async () => {
      if (user.state === state && user.lastRequestId === lastRequestId)
        await this.#search(user, { unlessChanged: true });
    };
    await user.inTurn(search).catch(() => this.#reconciler.doubt(user, 'search on'));
  }

  async #search(user: User, how: { skip?: LocalSession | undefined; unlessChanged?: true } = {}): Promise<void> {
    const { skip, unlessChanged } = how;
    const search = (command: UserCommand) =>
      this.#store.search({
        ...command,
        revision: user.revision,
        sessionId: this.#chance.sessionId(),
        ...(user.token !== undefined && { token: user.token }),
        ...(skip && { skip: { sessionId: skip.sessionId, messages: skip.messages } }),
        ...(unlessChanged && { unlessChanged }),
      });
    // What has changed meanwhile was somebody else's doing.
    await this.#run(user, search, unlessChanged ? 'notice' : 'own');
  }

  /** Ends the chat or the waiting: see {@link User.inTurn}. @returns the session that was ended */
  async #end(user: User, reason: 'end' | 'timeout'): Promise<LocalSession | undefined> {
    // A user who never searched has no entry to change.
    if (user.lastRequestId === 0) return undefined;
    let last: LocalSession | undefined;
    await this.#run(user, async command => {
      const changes = await this.#store.leave({ ...command, reason, messages: user.messages, forget: false });
      // A match may have been told while the command was under way.
      last = user.session;
      return changes;
    });
    return user.session ? undefined : last;
  }

  /**
   * Ends the chat or the waiting of a user who did not ask for it, and so is told of the end of a chat. Nothing is done to one
   * who does something else by then. Never rejects: it is compared again.
   */
  async #endUnasked(user: User, reason: 'end' | 'timeout'): Promise<void> {
    const { session } = user;
    const end = async () => {
      if (user.session?.sessionId !== session?.sessionId) return;
      const ended = await this.#end(user, reason);
      if (ended) this.#tell(user, 'partner_left', { sessionId: ended.sessionId, reason });
    };
    await this.#leave(user, { ends: 'any' }, () => user.inTurn(end)).catch(() => {
      if (!user.gone) this.#reconciler.suspect(user.userId);
    });
  }

  /** Gives the store a command of a user who is here, and applies the reply. */
  async #run(
    user: User,
    give: (command: UserCommand) => Promise<UserChange[]>,
    how: 'own' | 'notice' = 'own',
  ): Promise<void> {
    const command = user.command(this.#lease, this.#store.settleMs);
    const wasWaiting = user.state === 'waiting';
    try {
      const changes = await give(command);
      // This process may have slept while the reply was on its way.
      this.#lease.check();
      const [own, ...others] = changes;
      // The registry does not know the user, or not here any more: this node was reaped, or data was lost.
      if (own && isForgotten(user, own)) throw new LeaseLost(command.nodeId);
      this.#reconciler.trust(user, command.requestId);
      if (own) this.#applyTo(user, own, how);
      this.#apply(others);
    } catch (error) {
      if (error instanceof LeaseLost) {
        this.#lease.doubt();
        throw new ChatError('UNAVAILABLE', { cause: error });
      }
      user.unsettledUntil = this.#clock.now() + this.#store.settleMs;
      this.#reconciler.doubt(user, wasWaiting ? 'compare' : 'take back');
      throw error;
    }
  }

  #apply(changes: UserChange[]): void {
    for (const change of changes) {
      const user = this.#users.get(change.userId);
      if (user) this.#applyTo(user, change, 'notice');
    }
  }

  /** Tells a user's client. One that is gone is not told: the connection may be a newer one's. */
  #tell<Event extends keyof ServerEvents>(user: User, event: Event, ...args: Parameters<ServerEvents[Event]>): void {
    if (!user.gone) this.#clients.emit(user.userId, event, ...args);
  }

  /** @param how `own`: in reply to a command of the user. Who ends a chat is not told that it ended. */
  #applyTo(user: User, change: UserChange, how: 'own' | 'notice'): void {
    if (change.revision <= user.revision) return;
    if (isAbsent(change)) {
      this.#drop(user, change);
      return;
    }
    const before = user.session;
    const wasAway = before && before.partnerNode === undefined;
    const wasWaiting = user.state === 'waiting';
    user.adopt(change);
    const after = user.session;
    const changed = before?.sessionId !== after?.sessionId;
    // Nobody is told of the end of a chat whose own command ended it, also when the notice of the next match is faster than
    // the reply. A partner may leave so soon that the match is not even known here: the user, who believes to wait, is told.
    const silent = user.leaving.size > 0 && (how === 'own' || (!change.ended && after !== undefined));
    const left = change.ended ?? (before && changed && { sessionId: before.sessionId, reason: 'disconnect' as const });
    if (left && !silent) this.#tell(user, 'partner_left', left);
    // A match and its end were both missed: the user still believes to wait, and has not said otherwise since.
    const waitsInVain = wasWaiting && user.state === 'idle' && how === 'notice' && !left;
    if (waitsInVain && user.leaving.size === 0) void this.#searchAgain(user);
    if (after && changed) {
      this.#tell(user, 'matched', { sessionId: after.sessionId, startedAt: after.startedAt });
      // The notice of the match may come before the reply that the user waits.
      if (after.side === 'a') this.#meter.matched(wasWaiting ? this.#clock.now() - user.waitingSince : 0);
    }
    if (user.token === undefined || !after) return;
    const isAway = after.partnerNode === undefined;
    const { sessionId } = after;
    if (isAway && (changed || !wasAway)) {
      this.#tell(user, 'partner_away', { sessionId, graceMs: this.#lease.graceMs });
    } else if (!isAway && wasAway && !changed) {
      this.#tell(user, 'partner_back', { sessionId });
    }
  }

  /** The user lives elsewhere, or is away: the connection here is of no use any more. */
  #drop(user: User, { state }: AbsentUserChange): void {
    if (user.gone) return;
    this.#users.delete(user.userId);
    user.gone = true;
    void this.#passages.release(user);
    if (state === 'gone') this.#clients.replace(user.userId);
    else this.#clients.close(user.userId);
  }

  #receive(message: NodeMessage): void {
    this.#lease.check();
    const userId = message.kind === 'change' ? message.change.userId : message.userId;
    const isHere = userId !== undefined && this.#users.has(userId);
    if (userId !== undefined && !isHere && this.#passages.keep(userId, message)) return;
    if (message.kind === 'change') this.#apply([message.change]);
    else if (message.kind !== 'unreadable') this.#relay.receive(message);
    else if (userId === undefined) this.#reconciler.doubtAll();
    else if (isHere) this.#reconciler.suspect(userId);
  }

  /** The registry has ended, or will end, what these users were doing: they connect again and resume, or begin anew. */
  #dropAll(): void {
    const users = [...this.#users.values()];
    // At once, for all of them: from here on nothing is done for anybody. 10,000 users take about a ms.
    for (const user of users) user.gone = true;
    this.#users.clear();
    this.#reconciler.clear();
    this.#clients.closeAll(users.filter(({ session }) => session).map(({ userId }) => userId));
  }
}

/** Whether the registry answers as if what the node knows of the user had never been. */
function isForgotten(user: User, own: UserChange): boolean {
  return isAbsent(own) ? own.revision <= user.revision : own.revision === 0 && user.revision > 0;
}
