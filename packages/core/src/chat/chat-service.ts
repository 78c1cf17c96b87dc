import type { ChatMessage, Place, Receipt, StateReply, Typing } from '@passerby/protocol';
import { type Chance, systemChance } from '../chance.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import type { Log } from '../log.ts';
import { Changes } from './changes.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import { Doubts } from './doubts.ts';
import { inSlices } from './in-slices.ts';
import { Matching } from './matching.ts';
import type { Meter } from './meter.ts';
import type { NodeBus, NodeMessage } from './node-bus.ts';
import type { PairStore } from './pair-store.ts';
import { type Arrival, Presence } from './presence.ts';
import { Reconciler } from './reconciler.ts';
import { Relay } from './relay.ts';
import { Roster } from './roster.ts';
import type { User } from './user.ts';

export interface ChatServiceOptions {
  /** Left out: this machine's. */
  clock?: Clock;
  chance?: Chance;
  store: PairStore;
  bus: NodeBus;
  clients: Clients;
  lease: Lease;
  meter: Meter;
  log: Log;
  /**
   * Resolves when it is the turn of a search by somebody in no chat, or of a skip: whoever looks for a partner waits anyway, and a
   * busy node lets others go first. Rejects with `BUSY` when that would take too long. Left out: at once.
   */
  turn?: (what: 'search' | 'skip') => Promise<void>;
}

/** The rules of the chat for the users who are connected to this node. */
export class ChatService {
  readonly #clock: Clock;
  readonly #bus: NodeBus;
  readonly #clients: Clients;
  readonly #lease: Lease;
  readonly #log: Log;
  // Each calls only those above it.
  readonly #roster: Roster;
  readonly #doubts: Doubts;
  readonly #changes: Changes;
  readonly #matching: Matching;
  readonly #presence: Presence;
  readonly #relay: Relay;
  readonly #reconciler: Reconciler;

  constructor(given: ChatServiceOptions) {
    const options = { clock: systemClock, chance: systemChance, ...given };
    this.#clock = options.clock;
    this.#roster = new Roster(options.clock);
    this.#bus = options.bus;
    this.#clients = options.clients;
    this.#lease = options.lease;
    this.#log = options.log;
    const roster = this.#roster;
    const doubts = new Doubts({ ...options, roster });
    const changes = new Changes({ ...options, roster, doubts });
    const matching = new Matching({ ...options, doubts, changes });
    this.#doubts = doubts;
    this.#changes = changes;
    this.#matching = matching;
    this.#presence = new Presence({ ...options, roster, doubts, changes, matching });
    this.#relay = new Relay({ ...options, roster, doubts });
    this.#reconciler = new Reconciler({ ...options, roster, doubts, changes, matching });
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
      doubtful: () => this.#doubts.doubtAll(),
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
    await inSlices(this.#clock, [...this.#roster.userIds], leave);
    await this.#lease.stop();
  }

  /** Whether users can be taken now. */
  get ready(): boolean {
    return this.#lease.held;
  }

  /** The users who are here: whether they may resume elsewhere, and what they are doing. */
  get present(): { userId: string; resumes: boolean; state: StateReply['state'] }[] {
    return [...this.#roster.users].map(({ userId, token, state }) => ({
      userId,
      resumes: token !== undefined,
      state,
    }));
  }

  /** How many users of this node are in each state, and how many sessions have their side `a` here. */
  census(): { idle: number; waiting: number; paired: number; sessions: number } {
    const census = { idle: 0, waiting: 0, paired: 0, sessions: 0 };
    for (const user of this.#roster.users) {
      census[user.state]++;
      if (user.session?.side === 'a') census.sessions++;
    }
    return census;
  }

  /** A user's state now. Idle for a user who is not here. */
  stateOf(userId: string): StateReply {
    const user = this.#roster.get(userId);
    if (user?.session) return { state: 'paired', sessionId: user.session.sessionId };
    return { state: user?.state ?? 'idle' };
  }

  /** A plain user connected to this node. */
  connect(userId: string): void {
    this.#lease.check();
    this.#roster.add(userId);
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
    return this.#presence.resume(newUserId, token, arrival);
  }

  /** The client is known to have its welcome: a token that the user had before is worth nothing any more. */
  heard(userId: string): void {
    this.#lease.check();
    const user = this.#roster.get(userId);
    if (user?.isTokenNew) void this.#presence.retireToken(user);
  }

  /** Looks for a partner. Rejects with `ALREADY_IN_CHAT`, which changes nothing, or `UNAVAILABLE`. */
  async search(userId: string): Promise<void> {
    await this.#matching.search(this.#user(userId));
  }

  /**
   * Leaves the chat, if any, and looks for another partner, in one step. Rejects with `UNAVAILABLE`.
   * @param sessionId the chat that is meant, if the client names one. Rejects with `NOT_IN_CHAT`, and changes nothing, when the
   * user is not in it by then
   */
  async skip(userId: string, sessionId?: string): Promise<void> {
    await this.#matching.skip(this.#user(userId), sessionId);
  }

  /** Leaves the chat or the queue. Rejects with `UNAVAILABLE`. @param sessionId as for {@link skip} */
  async endChat(userId: string, sessionId?: string): Promise<void> {
    await this.#matching.endChat(this.#user(userId), sessionId);
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
    const user = this.#roster.get(userId);
    if (!user) return;
    await this.#presence.disconnect(user, how);
  }

  #user(userId: string): User {
    this.#lease.check();
    const user = this.#roster.get(userId);
    if (!user) throw new ChatError('UNAVAILABLE');
    // Who sends something has been welcomed.
    if (user.isTokenNew) void this.#presence.retireToken(user);
    return user;
  }

  #receive(message: NodeMessage): void {
    this.#lease.check();
    const userId = message.kind === 'change' ? message.change.userId : message.userId;
    if (userId === undefined) this.#doubts.doubtAll();
    else if (!this.#keep(userId, message)) this.#take(message);
  }

  /** Keeps a message for a user who is about to be here. @returns false if there is no such user, or too many are kept */
  #keep(userId: string, message: NodeMessage): boolean {
    const mailbox = this.#roster.mailboxOf(userId);
    if (!mailbox?.has('arrival') || this.#roster.has(userId)) return false;
    // The last change may be the only word of a chat's end.
    const tellsOfChange = message.kind === 'change' || message.kind === 'unreadable';
    if (mailbox.isFull('delivery') && !tellsOfChange) return false;
    void this.#roster.post(userId, 'delivery', () => this.#take(message, true));
    return true;
  }

  #take(message: NodeMessage, now = false): void {
    if (message.kind === 'change') void this.#matching.searchOn(this.#changes.apply([message.change]));
    else if (message.kind !== 'unreadable') this.#relay.receive(message, now);
    else if (message.userId !== undefined && this.#roster.has(message.userId)) this.#doubts.suspect(message.userId);
  }

  /** The registry has ended, or will end, what these users were doing: they connect again and resume, or begin anew. */
  #dropAll(): void {
    const users = this.#roster.clear();
    this.#doubts.clear();
    this.#reconciler.clear();
    this.#clients.closeAll(users.filter(({ session }) => session).map(({ userId }) => userId));
  }
}
