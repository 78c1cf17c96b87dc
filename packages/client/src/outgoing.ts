import type { Ack, Receipt } from '@passerby/protocol';
import { ChatError } from './chat-error.ts';
import { isBelievable } from './is-believable.ts';
import { KeptMessage, type OwnMessage } from './own-message.ts';
import { Paced } from './paced.ts';
import { realWorld, type World } from './world.ts';

/*
 * The own messages of one session, from `add` until the partner has them. Numbers are places in this queue:
 *
 *     1 … delivered | … accepted | … tried | …
 *     └─ gone ─────┘ └─ kept ────────────────┘
 *
 *   delivered   the partner's client has shown all up to this number, and they are dropped here
 *   accepted    a server has passed all up to this number on
 *   tried       all up to this number have been sent: the same as `accepted`, or one more
 *   next        the one to be sent next; after an interruption it goes back to the first that is kept
 *
 * A state that is gone on from may be older than the last thing that was sent: a browser that crashes has not saved all. The
 * partner takes what has a number that it knows for a repetition. So new messages wait until a receipt says how far the
 * partner is, and begin after that.
 *
 * One message is under way to the server at a time. So the server sees them in order; and when it refuses one for good
 * (INVALID_MESSAGE), no later one has been sent yet, and the next can have its number: the numbers have no gap, and none
 * names two texts.
 */

/** More messages than this are not kept. */
export const maxKept = 100;

/** Where nothing says when to try again. */
const retryMs = 1000;

/**
 * A partner who is back asks for messages that are being sent again anyway, and a bad one could ask without end: it is done
 * this often at the most.
 */
const againMs = 500;

/** A partner who is asked how far it is answers in less time, or not at all. */
const knownWithinMs = 1000;

/** What has to be known to go on elsewhere, such as after the page was loaded again. */
export interface OutgoingState {
  delivered: number;
  accepted: number;
  /** Those after `delivered`. */
  texts: string[];
}

export interface NumberedMessage {
  message: string;
  seq: number;
  sessionId: string;
}

export interface OutgoingOptions {
  world?: World;
  sessionId: string;
  state?: OutgoingState | undefined;
  /** Sends a message; calls `answer` once, with undefined when the connection was lost before the answer. */
  transmit: (message: NumberedMessage, answer: (reply: Ack<object> | undefined) => void) => void;
  /** {@link Outgoing.state} is no longer what it was. */
  changed: () => void;
  /** A message's status is no longer what it was. */
  progress: (message: OwnMessage) => void;
  /** The server does not take a message now, for a reason that the user may want to know. It is sent again by itself. */
  refused: (error: ChatError) => void;
  /** The server says that there is no such chat. Unless {@link Outgoing.end} follows, it is tried again. */
  notInChat: () => void;
}

/** Numbers, keeps and sends messages until they are delivered. Sends only between `start` and `stop`. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #world: World;
  readonly #kept: KeptMessage[];
  #delivered: number;
  #accepted: number;
  #tried: number;
  #next: number;
  /** The last number of the state that was gone on from, as long as the partner has not said how far it is. */
  #restoredTo: number | undefined;
  #unknown: unknown;
  #open = false;
  #underWay = false;
  #pause: unknown;
  /** What the pause is for: one that keeps to a limit of the server is ended only by a new connection. */
  #paused: 'for the partner' | 'for the server' | undefined;
  readonly #again: Paced;

  constructor(options: OutgoingOptions) {
    const { delivered, accepted, texts } = options.state ?? { delivered: 0, accepted: 0, texts: [] };
    this.#options = options;
    this.#world = options.world ?? realWorld;
    this.#again = new Paced(this.#world, againMs, () => this.#goBack());
    this.#kept = texts.map(text => new KeptMessage(options.sessionId, text));
    this.#delivered = delivered;
    this.#accepted = accepted;
    // The next one may have been on its way when the state was saved.
    this.#tried = Math.min(accepted + 1, delivered + texts.length);
    this.#next = delivered + 1;
    if (options.state) this.#restoredTo = delivered + texts.length;
    for (const [place, message] of this.#kept.entries()) {
      const seq = delivered + 1 + place;
      message.maybeShown = seq <= this.#tried;
      if (seq <= accepted) message.status = 'sent';
    }
  }

  get state(): OutgoingState {
    return {
      delivered: this.#delivered,
      accepted: this.#accepted,
      texts: this.#kept.map(({ text }) => text),
    };
  }

  /** Those that are not delivered yet, oldest first. */
  get kept(): readonly OwnMessage[] {
    return this.#kept;
  }

  /** The number of the first that is not delivered yet, or of the next message. */
  get first(): number {
    return this.#delivered + 1;
  }

  /** Keeps a message, and sends it as soon as possible. Throws `OUTGOING_FULL`. */
  add(text: string): OwnMessage {
    if (this.#kept.length >= maxKept) throw new ChatError('OUTGOING_FULL');
    const message = new KeptMessage(this.#options.sessionId, text);
    this.#kept.push(message);
    this.#options.changed();
    this.#sendNext();
    return message;
  }

  /** The way to the partner is open, perhaps after an interruption: sends everything that is not delivered. */
  start(): void {
    this.#open = true;
    this.#endPause();
    this.#again.reset();
    this.#again.run();
  }

  /** The way to the partner is interrupted. */
  stop(): void {
    this.#open = false;
    this.#endPause();
    this.#again.reset();
    this.#world.clearTimeout(this.#unknown);
    this.#unknown = undefined;
  }

  /** The session is over: what is not delivered fails with this error. */
  end(error: ChatError): void {
    this.stop();
    for (const message of this.#kept.splice(0)) {
      message.fail(error);
      this.#options.progress(message);
    }
  }

  /** The partner's client says what it has shown. */
  receive({ upTo, resend }: Pick<Receipt, 'upTo' | 'resend'>): void {
    const restoredTo = this.#restoredTo;
    const isBehind = restoredTo !== undefined && upTo > restoredTo;
    // Numbers that have no end would leave none for what comes next.
    if (isBehind && !isBelievable(upTo, restoredTo)) return;
    if (isBehind) this.#tried = restoredTo;
    // Whatever a partner says, what was never sent is not delivered.
    const count = Math.min(upTo, this.#tried) - this.#delivered;
    const shown = count > 0 ? this.#kept.splice(0, count) : [];
    this.#delivered += shown.length;
    if (isBehind) {
      this.#delivered = upTo;
      this.#tried = upTo;
    }
    this.#accepted = Math.max(this.#accepted, this.#delivered);
    this.#next = Math.max(this.#next, this.#delivered + 1);
    if (shown.length > 0 || isBehind) this.#options.changed();
    for (const message of shown) {
      message.deliver();
      this.#options.progress(message);
    }
    if (restoredTo !== undefined) this.#goOnFromKnown();
    if (!resend || !this.#open) return;
    // The partner is there: what was only waiting for that need not wait on.
    if (this.#paused === 'for the partner') this.#endPause();
    this.#again.run();
    this.#sendNext();
  }

  /** The partner has said how far it is, or does not answer that. */
  #goOnFromKnown(): void {
    this.#restoredTo = undefined;
    this.#world.clearTimeout(this.#unknown);
    this.#sendNext();
  }

  #goBack(): void {
    this.#next = this.#delivered + 1;
    this.#sendNext();
  }

  #sendNext(): void {
    if (!this.#open || this.#underWay || this.#pause !== undefined) return;
    const message = this.#kept[this.#next - this.#delivered - 1];
    if (!message) return;
    if (this.#restoredTo !== undefined && this.#next > this.#restoredTo) {
      this.#unknown ??= this.#world.setTimeout(() => this.#goOnFromKnown(), knownWithinMs);
      return;
    }
    const seq = this.#next++;
    this.#tried = Math.max(this.#tried, seq);
    this.#underWay = true;
    message.maybeShown = true;
    this.#options.transmit({ message: message.text, seq, sessionId: this.#options.sessionId }, reply => {
      this.#underWay = false;
      // After a lost connection, `start` comes.
      if (!reply) return;
      this.#answered(message, seq, reply);
      this.#sendNext();
    });
  }

  #answered(message: KeptMessage, seq: number, reply: Ack<object>): void {
    // The receipt was faster, or the session is over.
    if (message.status === 'delivered' || message.status === 'failed') return;
    if (reply.ok) {
      this.#accepted = Math.max(this.#accepted, seq);
      if (message.status === 'sent') return;
      message.status = 'sent';
      this.#options.changed();
      this.#options.progress(message);
    } else if (reply.error.code === 'INVALID_MESSAGE') {
      // One that a server passed on before, and another refuses now, may have been shown: its number stays taken.
      if (seq > this.#accepted) this.#drop(message, new ChatError('INVALID_MESSAGE'));
    } else {
      this.#next = Math.min(this.#next, seq);
      this.#pauseFor(reply.error);
      const { code, retryAfterMs } = reply.error;
      if (code === 'NOT_IN_CHAT') this.#options.notInChat();
      // That the partner is away has an event of its own.
      else if (code !== 'PARTNER_AWAY') this.#options.refused(new ChatError(code, retryAfterMs ?? retryMs));
    }
  }

  /** Gives up the message after the accepted ones. Its number is free for the next one. */
  #drop(message: KeptMessage, error: ChatError): void {
    this.#kept.splice(this.#accepted - this.#delivered, 1);
    this.#tried = this.#accepted;
    this.#next = Math.min(this.#next, this.#accepted + 1);
    message.maybeShown = false;
    message.fail(error);
    this.#options.changed();
    this.#options.progress(message);
  }

  #pauseFor({ code, retryAfterMs = retryMs }: Extract<Ack<object>, { ok: false }>['error']): void {
    this.#endPause();
    this.#paused = code === 'PARTNER_AWAY' || code === 'UNAVAILABLE' ? 'for the partner' : 'for the server';
    this.#pause = this.#world.setTimeout(() => {
      this.#endPause();
      this.#sendNext();
    }, retryAfterMs);
  }

  #endPause(): void {
    this.#world.clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#paused = undefined;
  }
}
