import type { ChatMessage, Place, Receipt, Typing } from '@passerby/protocol';
import type { Chance } from '../chance.ts';
import type { Clock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Doubts } from './doubts.ts';
import { inSlices } from './in-slices.ts';
import type { Meter } from './meter.ts';
import type { NodeBus, RoutedMessage, Sender, UserMessage } from './node-bus.ts';
import type { Roster } from './roster.ts';
import type { LocalSession, Tally } from './transition.ts';
import type { User } from './user.ts';

/** A dropped message raises doubts once for each session between two heartbeats, and for so many sessions: a flood is no use. */
const maxDoubted = 1000;

type ChatRoute = Extract<UserMessage, { kind: 'chat' }>;
type Unkept = { kind: 'receipt'; receipt: Receipt } | { kind: 'typing'; typing: Typing };

export interface RelayOptions {
  clock: Clock;
  chance: Chance;
  roster: Roster;
  doubts: Doubts;
  bus: NodeBus;
  clients: Clients;
  lease: Lease;
  meter: Meter;
}

/**
 * Passes messages from a user to the partner, at most once and in order. Resuming clients number their messages, keep them
 * and send them again: see packages/client. The receiver's side of that is the receiving client's, and for a plain client
 * it is done here.
 */
export class Relay {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #roster: Roster;
  readonly #doubts: Doubts;
  readonly #bus: NodeBus;
  readonly #clients: Clients;
  readonly #lease: Lease;
  readonly #meter: Meter;
  /** Sessions whose messages were dropped since the last heartbeat. */
  readonly #dropping = new Set<string>();

  constructor(options: RelayOptions) {
    this.#clock = options.clock;
    this.#chance = options.chance;
    this.#roster = options.roster;
    this.#doubts = options.doubts;
    this.#bus = options.bus;
    this.#clients = options.clients;
    this.#lease = options.lease;
    this.#meter = options.meter;
  }

  /** Sends a cleaned text to the user's partner: see {@link ChatService.send}. */
  async send(user: User, text: string, place: Place): Promise<ChatMessage> {
    const session = sessionOf(user, place.sessionId);
    const { partnerNode, partnerId, sessionId, tally } = session;
    if (partnerNode === undefined) throw new ChatError('PARTNER_AWAY', { retryAfterMs: 1000 });
    const message = { id: this.#chance.messageId(), message: text, at: this.#clock.date() };
    const seq = user.token ? place.seq : undefined;
    const isNew = seq === undefined || seq > tally.sent;
    // Both before it is sent: the user may end the chat, or write the next one, before the other node has it.
    if (isNew) count(tally, 1);
    if (isNew) tally.sent = seq ?? tally.sent + 1;
    const numbered = seq === undefined ? message : { ...message, seq };
    const routed: ChatRoute = { kind: 'chat', userId: partnerId, from: this.#from(user), sessionId, message: numbered };
    // Not for who may write on from another node, which would begin at 1.
    if (!user.token) routed.order = tally.sent;
    try {
      if (partnerNode === this.#lease.nodeId) this.#sendHere(user, routed);
      else await this.#sendAway(user, partnerNode, routed);
    } catch (error) {
      // A resuming client says it again.
      if (isNew) count(tally, -1);
      if (seq !== undefined) tally.sent = Math.min(tally.sent, seq - 1);
      throw error;
    }
    return message;
  }

  /** Tells the partner what the user has received. Rejects like {@link send}. */
  async acknowledge(user: User, receipt: Receipt): Promise<void> {
    const sent = this.#passOn(user, sessionOf(user, receipt.sessionId), { kind: 'receipt', receipt });
    user.mailbox.sending(sent);
    await sent;
  }

  /** Tells the partner whether the user is writing. Rejects like {@link acknowledge}. */
  async tellTyping(user: User, typing: Typing): Promise<void> {
    await this.#passOn(user, sessionOf(user, typing.sessionId), { kind: 'typing', typing });
  }

  /** Takes what another node sent. @param now whether it has waited for its recipient's mailbox already */
  receive(message: RoutedMessage, now = false): void {
    const user = this.#roster.get(message.userId);
    if (message.kind === 'dropped') {
      if (user?.session?.sessionId === message.sessionId) this.#doubts.suspect(user.userId);
    } else if (message.kind === 'chat') {
      if (user && (now ? this.#deliverNow(user, message) : this.#deliver(user, message))) return;
      this.#meter.dropped();
      this.#drop(message);
    } else if (!this.#deliverUnkept(user, message)) this.#drop(message);
  }

  /** A heartbeat has come: a session whose messages are dropped raises doubts again. */
  beat(): void {
    this.#dropping.clear();
  }

  /** Messages to this node were lost: whoever may have lost one is told, or asks for it again. */
  async missed(): Promise<void> {
    await inSlices(this.#clock, [...this.#roster.users], slice => {
      // This process may have slept meanwhile; then all of them are gone.
      this.#lease.check();
      for (const user of slice) if (!user.isGone) this.#mayHaveMissed(user);
    });
  }

  #mayHaveMissed(user: User): void {
    const { session } = user;
    if (!session) return;
    if (user.token) this.#clients.emit(user.userId, 'missed', { sessionId: session.sessionId });
    else if (session.partnerNode !== this.#lease.nodeId) this.#confirm(user, session, true);
  }

  #from({ userId }: User): Sender {
    return { userId, nodeId: this.#lease.nodeId };
  }

  /** One of two nodes is wrong about a session. Both find out. */
  #drop(message: UserMessage): void {
    const sessionId = sessionIdOf(message);
    if (this.#dropping.has(sessionId) || this.#dropping.size >= maxDoubted) return;
    this.#dropping.add(sessionId);
    this.#doubts.suspect(message.userId);
    const { from } = message;
    if (!from) return;
    const notice = { kind: 'dropped', userId: from.userId, sessionId } as const;
    if (from.nodeId === this.#lease.nodeId) this.receive(notice);
    // If it is lost, the next message brings another one.
    else this.#bus.send(from.nodeId, notice).catch(() => undefined);
  }

  #sendHere(user: User, routed: ChatRoute): void {
    const partner = this.#roster.get(routed.userId);
    if (!partner || !this.#deliver(partner, routed)) {
      this.#drop(routed);
      // The partner has lost the connection, or has left: the user is told more as soon as the store is. Who can send again will.
      const isAway = !partner || user.token !== undefined;
      throw isAway ? new ChatError('PARTNER_AWAY', { retryAfterMs: 500 }) : new ChatError('NOT_IN_CHAT');
    }
    this.#meter.relayed('local');
  }

  async #sendAway(user: User, partnerNode: string, routed: ChatRoute): Promise<void> {
    const sent = this.#bus.send(partnerNode, routed);
    user.mailbox.sending(sent);
    if (!(await sent)) {
      this.#doubts.suspect(user.userId);
      throw new ChatError('UNAVAILABLE');
    }
    this.#meter.relayed('remote');
  }

  /** @returns false if the user is not in that session; true may also mean that it is not yet known. */
  #deliver(user: User, routed: ChatRoute): boolean {
    if (!user.mailbox.isBusy) return this.#deliverNow(user, routed);
    // The reply to what is under way may be the very match that the message belongs to.
    if (user.mailbox.isFull('delivery')) return false;
    void user.mailbox.post('delivery', () => {
      if (!user.isGone && this.#deliverNow(user, routed)) return;
      this.#meter.dropped();
      this.#drop(routed);
    });
    return true;
  }

  #deliverNow(user: User, { sessionId, message: { id, message, at, seq }, order }: ChatRoute): boolean {
    const { session } = user;
    if (session?.sessionId !== sessionId) return false;
    const { tally } = session;
    const number = seq ?? order;
    const isNext = number === undefined || isAfter(tally.shown, number, seq !== undefined && !user.token);
    if (isNext || (user.token && seq !== undefined)) {
      const shown: ChatMessage = { id, message, at };
      if (user.token) shown.sessionId = sessionId;
      if (user.token && seq !== undefined) shown.seq = seq;
      this.#clients.emit(user.userId, 'message', shown);
    }
    if (isNext) {
      tally.shown = number ?? tally.shown;
      count(tally, 1);
    }
    // What a plain user was not shown was shown already, or comes after one that was lost.
    if (!user.token && seq !== undefined) this.#confirm(user, session, seq > tally.shown);
    return isNext || seq !== undefined;
  }

  /** Acknowledges on behalf of a plain user. */
  #confirm(user: User, session: LocalSession, resend: boolean): void {
    const receipt = { sessionId: session.sessionId, upTo: session.tally.shown, ...(resend && { resend }) };
    // If it is lost, the sender sends again, and it is made again.
    this.#passOn(user, session, { kind: 'receipt', receipt }).catch(() => undefined);
  }

  async #passOn(user: User, { partnerNode, partnerId }: LocalSession, unkept: Unkept): Promise<void> {
    if (partnerNode === undefined) return;
    const message = { ...unkept, userId: partnerId, from: this.#from(user) };
    if (partnerNode === this.#lease.nodeId) this.receive(message);
    else if (!(await this.#bus.send(partnerNode, message))) this.#doubts.suspect(user.userId);
  }

  /** @returns false if the user is not in that session */
  #deliverUnkept(user: User | undefined, unkept: Unkept): boolean {
    const session = user?.session;
    if (!user || session?.sessionId !== sessionIdOf(unkept)) return false;
    if (unkept.kind === 'typing') {
      if (user.token) this.#clients.emit(user.userId, 'partner_typing', unkept.typing);
    } else if (user.token) this.#clients.emit(user.userId, 'delivered', unkept.receipt);
    // Whoever asks may not know how far the partner is. A plain user has nothing to send again.
    else if (unkept.receipt.resend) this.#confirm(user, session, false);
    return true;
  }
}

function sessionIdOf(message: UserMessage | Unkept): string {
  if (message.kind === 'chat') return message.sessionId;
  return message.kind === 'receipt' ? message.receipt.sessionId : message.typing.sessionId;
}

/** The session that the user is in, and is not leaving; the named one, if one is named. Throws `NOT_IN_CHAT`. */
function sessionOf(user: User, sessionId: string | undefined): LocalSession {
  const { session } = user;
  if (!session || !user.isIn(sessionId) || user.mailbox.isEnding(session)) throw new ChatError('NOT_IN_CHAT');
  return session;
}

/** @param closely without a gap: whoever sent it will send again what is missing */
function isAfter(last: number, number: number, closely: boolean): boolean {
  return closely ? number === last + 1 : number > last;
}

function count(tally: Tally, messages: number): void {
  if (tally.messages !== null) tally.messages += messages;
}
