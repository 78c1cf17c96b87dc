import type { Ack, ChatMessage } from '@passerby/protocol';
import { now } from './clock.ts';
import { readMessage, writeMessage } from './message-text.ts';
import { type Mismatch, SessionSide } from './session-side.ts';
import type { Tally } from './tally.ts';

/** What all users of one worker have in common. */
export interface SessionSetting {
  tally: Tally;
  run: string;
  messageCharacters: number;
  /** The sides of which the end is not known yet. */
  sides: Set<SessionSide>;
  /** A side is over, and all that it asked is answered. */
  ended: (side: SessionSide) => void;
  /** Told of what must never be, with a sentence about it. */
  mismatch: (kind: Mismatch, sentence: string) => void;
}

/** A message on its way to the server. */
export interface Written {
  text: string;
  /**
   * To be called with the server's answer, or without one when the connection ended first.
   * @param parting whether the user is about to leave the chat
   */
  answered: (reply: Ack<object> | undefined, parting: boolean) => void;
}

/** The sessions of one user, one after the other: makes up the messages, and checks those that come. */
export class UserSessions {
  readonly #name: string;
  readonly #setting: SessionSetting;
  #side: SessionSide | undefined;
  /** The session before, of whose end word may still come. */
  #before: string | undefined;

  constructor(name: string, setting: SessionSetting) {
    this.#name = name;
    this.#setting = setting;
  }

  /** The session that goes on now. */
  get current(): string | undefined {
    return this.#side?.session;
  }

  /** The session before that one. */
  get before(): string | undefined {
    return this.#before;
  }

  begin(session: string): void {
    this.#side = new SessionSide(session, { run: this.#setting.run, user: this.#name, beganAt: now() });
    this.#setting.sides.add(this.#side);
  }

  /** A session was over before this user was told of it. */
  missed(session: string): void {
    const side = new SessionSide(session, { run: this.#setting.run, user: this.#name });
    side.leave();
    this.#setting.ended(side);
  }

  /** The present session is over for this user. */
  part(): void {
    const side = this.#side;
    if (!side) return;
    side.leave();
    this.#before = side.session;
    this.#side = undefined;
    this.#release(side);
  }

  /** Makes up the next message, if there is a session. @param dueAt when it was to be sent */
  write(dueAt: number): Written | undefined {
    const side = this.#side;
    if (!side) return undefined;
    const { run, messageCharacters, tally } = this.#setting;
    const n = side.write();
    tally.counts.sent += 1;
    return {
      text: writeMessage({ run, session: side.session, user: this.#name, n, at: dueAt }, messageCharacters),
      answered: (reply, parting) => {
        side.answered(n, reply === undefined ? 'unknown' : reply.ok ? 'accepted' : 'refused');
        if (reply && !reply.ok) {
          // The chat may have ended while the message was on its way: so it goes.
          const isLate = reply.error.code === 'NOT_IN_CHAT' && (parting || side !== this.#side);
          if (isLate) tally.counts.late += 1;
          else tally.error(reply.error.code);
        }
        if (side !== this.#side) this.#release(side);
      },
    };
  }

  /** A message has come. */
  shown({ message }: ChatMessage): void {
    const { tally, run, mismatch } = this.#setting;
    const mark = readMessage(message);
    if (!mark) {
      mismatch('unreadable', `User ${this.#name} got a message that no load tester wrote.`);
      return;
    }
    const wrong = this.#side ? this.#side.take(mark) : 'wrong chat';
    if (wrong) {
      const { session, user, n } = mark;
      const where = this.#side ? `in ${this.#side.session}` : 'in no chat';
      mismatch(wrong, `User ${this.#name}, ${where}, got message ${n} of user ${user} in ${session}: ${wrong}.`);
    }
    if (wrong !== undefined && wrong !== 'order') return;
    tally.counts.delivered += 1;
    // Another run may be on another machine, with another clock.
    if (mark.run === run) tally.latency('delivery', now() - mark.at);
  }

  #release(side: SessionSide): void {
    if (!side.isPending && this.#setting.sides.delete(side)) this.#setting.ended(side);
  }
}
