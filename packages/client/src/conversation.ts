import type { Matched, Receipt } from '@passerby/protocol';
import type { ChatError } from './chat-error.ts';
import type { Connection } from './connection.ts';
import { Incoming } from './incoming.ts';
import { Outgoing } from './outgoing.ts';
import type { OwnMessage } from './own-message.ts';
import { OwnTyping } from './own-typing.ts';
import { PartnerTyping } from './partner-typing.ts';
import type { SavedChat } from './saved-chat.ts';
import type { World } from './world.ts';

/** When a receipt that failed is sent again, unless the server says when. */
const repeatMs = 1000;

/** After so many receipts in a row that are refused because there is no such chat, that is believed. */
const mostRefusals = 3;

/** A session, as the user sees it. */
export interface Session extends Matched {
  /** The partner has lost the connection, and may come back. */
  partnerAway: boolean;
}

export interface ConversationOptions {
  world: World;
  connection: Connection;
  session: Session;
  /** Where it was left, if this client was in it before. */
  restored: SavedChat['session'];
  /** {@link Conversation.state} is no longer what it was. */
  changed: () => void;
  progress: (message: OwnMessage) => void;
  refused: (error: ChatError) => void;
  /** The server says that there is no such chat. Unless {@link Conversation.end} follows, all is tried again. */
  notInChat: () => void;
  /** A command is under way that ends the session, or fails: until then, the server says that there is none. */
  isBeingLeft: () => boolean;
  partnerTyping: (typing: boolean) => void;
}

/** The messages of one session, in both directions. Sends nothing before `start` or `resume`. */
export class Conversation {
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly typing: OwnTyping;
  readonly partnerTyping: PartnerTyping;
  session: Session;
  readonly #handlers: Pick<ConversationOptions, 'notInChat' | 'isBeingLeft'>;
  /** How many receipts were refused in a row because there is no such chat. */
  #refusals = 0;

  constructor({ connection, session, restored, ...handlers }: ConversationOptions) {
    const { sessionId } = session;
    this.session = session;
    this.#handlers = handlers;
    this.outgoing = new Outgoing({
      ...handlers,
      sessionId,
      state: restored?.outgoing,
      transmit: (message, answer) => connection.request('message', message, answer),
    });
    const { world } = handlers;
    this.incoming = new Incoming({
      world,
      shown: restored?.shown,
      transmit: (receipt, failed) => {
        connection.request('received', { sessionId, ...receipt }, reply => {
          // Also where there is no chat, it says: a skip may be under way there that fails. With the session it ends here,
          // too. After a lost connection, `resume` sends one.
          if (reply && !reply.ok) failed(reply.error.retryAfterMs ?? repeatMs);
          this.#doubt(reply && !reply.ok && reply.error.code === 'NOT_IN_CHAT');
        });
      },
    });
    this.typing = new OwnTyping(typing => connection.request('typing', { sessionId, typing }, () => undefined), world);
    this.partnerTyping = new PartnerTyping(handlers.partnerTyping, world);
  }

  get state(): NonNullable<SavedChat['session']> {
    return { sessionId: this.session.sessionId, shown: this.incoming.shown, outgoing: this.outgoing.state };
  }

  /** Sends what is kept, from the first, as soon as the partner is there. */
  start(): void {
    if (!this.session.partnerAway) this.outgoing.start();
  }

  /** Something may have been lost on the way: asks the partner to send again, and does so too. */
  resume(): void {
    this.incoming.ask();
    this.start();
  }

  /** The partner says what it has shown. One who asks for more is told the same, as it may go on from an older place. */
  takeReceipt({ upTo, resend = false, from }: Receipt): void {
    this.outgoing.receive({ upTo, resend });
    if (from !== undefined) this.incoming.beginFrom(from);
    const { first } = this.outgoing;
    if (resend) this.incoming.tell(first > upTo + 1 ? first : undefined);
  }

  /** That the session is over may have been lost on the way, and who only reads is told by nothing else. */
  #doubt(isRefused = false): void {
    this.#refusals = isRefused && !this.#handlers.isBeingLeft() ? this.#refusals + 1 : 0;
    if (this.#refusals >= mostRefusals) this.#handlers.notInChat();
  }

  /** There is no connection. */
  interrupt(): void {
    this.incoming.stop();
    this.outgoing.stop();
    this.typing.stop();
    this.partnerTyping.set(false);
  }

  /** The session is over. */
  end(error: ChatError): void {
    this.interrupt();
    this.outgoing.end(error);
  }

  /** @returns whether that was news */
  setPartnerAway(partnerAway: boolean): boolean {
    if (this.session.partnerAway === partnerAway) return false;
    this.session = { ...this.session, partnerAway };
    if (partnerAway) {
      this.outgoing.stop();
      this.partnerTyping.set(false);
    } else this.outgoing.start();
    return true;
  }
}
