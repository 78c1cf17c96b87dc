import { randomUUID } from 'node:crypto';
import type { ChatMessage, Place, Receipt, Typing } from '@passerby/protocol';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Lease } from './lease.ts';
import type { Meter } from './meter.ts';
import type { NodeBus, RoutedMessage } from './node-bus.ts';
import type { LocalSession, User } from './user.ts';

type ChatRoute = Extract<RoutedMessage, { kind: 'chat' }>;

export interface RelayOptions {
  users: ReadonlyMap<string, User>;
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
  readonly #users: ReadonlyMap<string, User>;
  readonly #bus: NodeBus;
  readonly #clients: Clients;
  readonly #lease: Lease;
  readonly #meter: Meter;

  constructor(options: RelayOptions) {
    this.#users = options.users;
    this.#bus = options.bus;
    this.#clients = options.clients;
    this.#lease = options.lease;
    this.#meter = options.meter;
  }

  /** Sends a cleaned text to the user's partner: see {@link ChatService.send}. */
  async send(user: User, text: string, place: Place): Promise<ChatMessage> {
    const session = sessionOf(user, place.sessionId);
    const { partnerNode, partnerId, sessionId } = session;
    if (partnerNode === undefined) throw new ChatError('PARTNER_AWAY', { retryAfterMs: 1000 });
    const message = { id: randomUUID(), message: text, at: Date.now() };
    const seq = user.token ? place.seq : undefined;
    const isNew = seq === undefined || seq > session.sent;
    // Both before it is sent: the user may end the chat, or write the next one, before the other node has it.
    if (isNew) count(session, 1);
    if (isNew) session.sent = seq ?? session.sent + 1;
    const numbered = seq === undefined ? message : { ...message, seq };
    const routed: ChatRoute = { kind: 'chat', userId: partnerId, sessionId, message: numbered };
    // Not for who may write on from another node, which would begin at 1.
    if (!user.token) routed.order = session.sent;
    try {
      if (partnerNode === this.#lease.nodeId) this.#sendHere(user, routed);
      else await this.#sendAway(user, partnerNode, routed);
    } catch (error) {
      // A resuming client says it again.
      if (isNew) count(session, -1);
      if (seq !== undefined) session.sent = Math.min(session.sent, seq - 1);
      throw error;
    }
    return message;
  }

  /** Tells the partner what the user has received. Rejects like {@link send}. */
  async acknowledge(user: User, receipt: Receipt): Promise<void> {
    const sent = this.#sendReceipt(sessionOf(user, receipt.sessionId), receipt);
    user.say(sent);
    await sent;
  }

  /** Tells the partner whether the user is writing. Rejects like {@link acknowledge}. */
  async tellTyping(user: User, typing: Typing): Promise<void> {
    const { partnerNode, partnerId } = sessionOf(user, typing.sessionId);
    if (partnerNode === undefined) return;
    if (partnerNode === this.#lease.nodeId) this.#deliverTyping(this.#users.get(partnerId), typing);
    else await this.#bus.send(partnerNode, { kind: 'typing', userId: partnerId, typing });
  }

  /** Takes what another node sent. */
  receive(message: RoutedMessage): void {
    const user = this.#users.get(message.userId);
    if (message.kind === 'receipt') this.#deliverReceipt(user, message.receipt);
    else if (message.kind === 'typing') this.#deliverTyping(user, message.typing);
    else if (!user || !this.#deliver(user, message)) this.#meter.dropped();
  }

  /** Messages to this node were lost: whoever may have lost one is told, or asks for it again. */
  missed(): void {
    for (const user of this.#users.values()) {
      const { session } = user;
      if (!session) continue;
      if (user.token) this.#clients.emit(user.userId, 'missed', { sessionId: session.sessionId });
      else if (session.partnerNode !== this.#lease.nodeId) this.#confirm(session, true);
    }
  }

  #sendHere(user: User, routed: ChatRoute): void {
    const partner = this.#users.get(routed.userId);
    if (!partner || !this.#deliver(partner, routed)) {
      // The partner has lost the connection, or has left: the user is told more as soon as the store is. Who can send again will.
      const isAway = !partner || user.token !== undefined;
      throw isAway ? new ChatError('PARTNER_AWAY', { retryAfterMs: 500 }) : new ChatError('NOT_IN_CHAT');
    }
    this.#meter.relayed('local');
  }

  async #sendAway(user: User, partnerNode: string, routed: ChatRoute): Promise<void> {
    const sent = this.#bus.send(partnerNode, routed);
    user.say(sent);
    if (!(await sent)) throw new ChatError('UNAVAILABLE');
    this.#meter.relayed('remote');
  }

  /** @returns false if the user is not in that session; true may also mean that it is not yet known. */
  #deliver(user: User, routed: ChatRoute): boolean {
    if (!user.busy) return this.#deliverNow(user, routed);
    return user.hold(() => {
      if (user.gone || !this.#deliverNow(user, routed)) this.#meter.dropped();
    });
  }

  #deliverNow(user: User, { sessionId, message: { id, message, at, seq }, order }: ChatRoute): boolean {
    const { session } = user;
    if (session?.sessionId !== sessionId) return false;
    const number = seq ?? order;
    const isNext = number === undefined || isAfter(session.shown, number, seq !== undefined && !user.token);
    if (isNext || (user.token && seq !== undefined)) {
      const shown: ChatMessage = { id, message, at };
      if (user.token) shown.sessionId = sessionId;
      if (user.token && seq !== undefined) shown.seq = seq;
      this.#clients.emit(user.userId, 'message', shown);
    }
    if (isNext) {
      session.shown = number ?? session.shown;
      count(session, 1);
    }
    // What a plain user was not shown was shown already, or comes after one that was lost.
    if (!user.token && seq !== undefined) this.#confirm(session, seq > session.shown);
    return isNext || seq !== undefined;
  }

  /** Acknowledges on behalf of a plain user. */
  #confirm(session: LocalSession, resend: boolean): void {
    const receipt = { sessionId: session.sessionId, upTo: session.shown, ...(resend && { resend }) };
    // If it is lost, the sender sends again, and it is made again.
    this.#sendReceipt(session, receipt).catch(() => undefined);
  }

  async #sendReceipt({ partnerNode, partnerId }: LocalSession, receipt: Receipt): Promise<void> {
    if (partnerNode === undefined) return;
    if (partnerNode === this.#lease.nodeId) this.#deliverReceipt(this.#users.get(partnerId), receipt);
    else await this.#bus.send(partnerNode, { kind: 'receipt', userId: partnerId, receipt });
  }

  #deliverReceipt(user: User | undefined, receipt: Receipt): void {
    const session = user?.session;
    if (session?.sessionId !== receipt.sessionId) return;
    if (user?.token) this.#clients.emit(user.userId, 'delivered', receipt);
    // Whoever asks may not know how far the partner is. A plain user has nothing to send again.
    else if (receipt.resend) this.#confirm(session, false);
  }

  #deliverTyping(user: User | undefined, typing: Typing): void {
    if (user?.token && user.session?.sessionId === typing.sessionId) {
      this.#clients.emit(user.userId, 'partner_typing', typing);
    }
  }
}

/** The session that the user is in, and is not leaving; the named one, if one is named. Throws `NOT_IN_CHAT`. */
function sessionOf(user: User, sessionId: string | undefined): LocalSession {
  const { session } = user;
  if (!session || !user.isIn(sessionId) || user.isEnding(session)) throw new ChatError('NOT_IN_CHAT');
  return session;
}

/** @param closely without a gap: whoever sent it will send again what is missing */
function isAfter(last: number, number: number, closely: boolean): boolean {
  return closely ? number === last + 1 : number > last;
}

function count(session: LocalSession, messages: number): void {
  if (session.messages !== null) session.messages += messages;
}
