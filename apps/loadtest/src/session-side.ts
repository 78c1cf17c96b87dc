import type { MessageMark } from './message-text.ts';

/**
 * What must never be seen:
 *
 * - `wrong chat`: a message that its reader's partner did not write in their session
 * - `repeated`: a message that came before
 * - `order`: a message that came after a later one
 * - `lost`: a message that never came, though the server had accepted it and both had stayed
 * - `unanswered`: a message, or several in one session, or a command, to which the server said nothing at all
 * - `unreadable`: a message that nobody wrote like this
 * - `second chat`: a match in the middle of a chat, or a return into another one
 * - `one side`: a session that only one user was ever told of
 * - `unasked match`: a match without a search
 * - `unknown chat`: the end of a chat that this user was not in, and could not have come into unnoticed
 * - `not resumed`: a user who came back in time, and was not known any more
 */
export type Mismatch =
  | 'wrong chat'
  | 'repeated'
  | 'order'
  | 'lost'
  | 'unanswered'
  | 'unreadable'
  | 'second chat'
  | 'one side'
  | 'unasked match'
  | 'unknown chat'
  | 'not resumed';

/** What one user knows of a session in the end. */
export interface SideReport {
  session: string;
  user: string;
  /** How many messages this user wrote. */
  sent: number;
  /** The numbers of those that the server did not accept. */
  refused: number[];
  /** The numbers of those of which nothing is known. */
  unanswered: number[];
  /** The highest number that came from the partner, 0 for none. */
  highest: number;
  /** The numbers below it that did not come. */
  missing: number[];
  /** Whether the user was in the session until all messages must have come. */
  stayed: boolean;
  /** When the user was told that it begins, on the clock of `now()`; absent if only of the end. */
  beganAt?: number;
}

/** One of the two sides of a session: numbers what its user writes, and checks what comes from the partner. */
export class SessionSide {
  readonly session: string;
  readonly #beganAt: number | undefined;
  readonly #run: string;
  readonly #user: string;
  #sent = 0;
  readonly #pending = new Set<number>();
  readonly #refused: number[] = [];
  readonly #unknown: number[] = [];
  #partner: string | undefined;
  #highest = 0;
  readonly #missing = new Set<number>();
  #stayed = true;

  /** @param user of this run, who must not get messages of their own */
  constructor(session: string, { run, user, beganAt }: Pick<MessageMark, 'run' | 'user'> & { beganAt?: number }) {
    this.session = session;
    this.#beganAt = beganAt;
    this.#run = run;
    this.#user = user;
  }

  /** The number of the message that is written now. Its answer is awaited. */
  write(): number {
    this.#sent += 1;
    this.#pending.add(this.#sent);
    return this.#sent;
  }

  /** What the server said of a message; `unknown` if the connection ended before it said anything. */
  answered(n: number, outcome: 'accepted' | 'refused' | 'unknown'): void {
    this.#pending.delete(n);
    if (outcome === 'refused') this.#refused.push(n);
    if (outcome === 'unknown') this.#unknown.push(n);
  }

  /** Whether messages wait for their answers. */
  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /** The user is in this session no more: what is still on its way may not come. */
  leave(): void {
    this.#stayed = false;
  }

  /** A message has come. @returns what is wrong with it */
  take({ run, session, user, n }: MessageMark): Mismatch | undefined {
    const writer = `${run} ${user}`;
    const isOwn = run === this.#run && user === this.#user;
    if (session !== this.session || isOwn || n < 1) return 'wrong chat';
    this.#partner ??= writer;
    if (writer !== this.#partner) return 'wrong chat';
    if (n <= this.#highest) return this.#missing.delete(n) ? 'order' : 'repeated';
    for (let skipped = this.#highest + 1; skipped < n; skipped++) this.#missing.add(skipped);
    this.#highest = n;
    return undefined;
  }

  /** How many messages were accepted, and how many came: over all sides that stay, the same when nothing is on its way. */
  get settled(): { accepted: number; received: number } {
    return {
      accepted: this.#sent - this.#refused.length - this.#unknown.length - this.#pending.size,
      received: this.#highest - this.#missing.size,
    };
  }

  report(): SideReport {
    return {
      session: this.session,
      user: this.#user,
      sent: this.#sent,
      refused: [...this.#refused],
      unanswered: [...this.#unknown, ...this.#pending],
      highest: this.#highest,
      missing: [...this.#missing],
      stayed: this.#stayed,
      ...(this.#beganAt !== undefined && { beganAt: this.#beganAt }),
    };
  }
}
