import type { Clock } from '../clock.ts';
import { ChatError } from './chat-error.ts';
import type { Leaving, Mailbox } from './mailbox.ts';
import type { KnownUser } from './pair-store.ts';
import { type ChatState, type LocalSession, newcomer } from './transition.ts';

export interface UserOptions {
  clock: Clock;
  mailbox: Mailbox;
  /** Hash of the token that resumes the user. */
  token: string | undefined;
}

/** A user of this node. Whether, and on which connection, is the {@link Roster}'s to say. */
export class User {
  readonly userId: string;
  readonly mailbox: Mailbox;
  /** Changes only by a {@link transition}. */
  chat: ChatState = newcomer;
  /** Hash of the token that resumes the user; undefined for a plain one. */
  token: string | undefined;
  /** The token before this one still resumes the user: the client is not known to have this one. */
  isTokenNew = false;
  lastRequestId = 0;
  /** Until then, by the clock's `now()`, a command that failed, or was given again, may still be carried out. */
  unsettledUntil = 0;
  /** Counts the connections that the user has had on this node. */
  connection = 0;
  /** How the user left this node; undefined while here. One who said goodbye (`left`) does not come back. */
  departed: 'lost' | 'left' | undefined;

  readonly #clock: Clock;

  constructor(userId: string, { clock, mailbox, token }: UserOptions) {
    this.#clock = clock;
    this.userId = userId;
    this.mailbox = mailbox;
    this.token = token;
  }

  get isGone(): boolean {
    return this.departed !== undefined;
  }

  get session(): LocalSession | undefined {
    return this.chat.session;
  }

  get state(): ChatState['state'] {
    return this.chat.state;
  }

  /** Whether this is the user's session; also if none is named. */
  isIn(sessionId: string | undefined): boolean {
    return sessionId === undefined || this.session?.sessionId === sessionId;
  }

  /** How many messages the session has had, as far as it is known. */
  get messages(): number | null {
    return this.session ? this.session.tally.messages : 0;
  }

  /**
   * Runs a command when all that came before it is done. Rejects with `TOO_MANY_REQUESTS` when too many wait, with `UNAVAILABLE`
   * when the user is gone by then, for a user who left must not come into the registry again, or when more than `withinMs`
   * has passed.
   */
  async run(command: () => Promise<void>, { withinMs = Infinity, leaving }: RunOptions = {}): Promise<void> {
    if (this.mailbox.isFull('command')) throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: 1000 });
    const givenAt = this.#clock.now();
    const act = async () => {
      if (this.isGone) throw new ChatError('UNAVAILABLE');
      if (this.#clock.now() - givenAt > withinMs) throw new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
      await command();
    };
    await this.mailbox.post('command', act, leaving);
  }

  /** What the node knows, to be compared with the registry. */
  get known(): KnownUser {
    const { revision, parted } = this.chat;
    const base = {
      ...{ userId: this.userId, revision, requestId: this.lastRequestId },
      ...(this.token !== undefined && { token: this.token }),
      ...(parted !== undefined && { parted }),
    };
    if (!this.session) return { ...base, state: this.state === 'waiting' ? 'waiting' : 'idle' };
    const { sessionId, partnerId, partnerNode, startedAt, side } = this.session;
    return {
      ...base,
      state: 'paired',
      session: { sessionId, partnerId, startedAt, side, ...(partnerNode !== undefined && { partnerNode }) },
    };
  }
}

export interface RunOptions {
  withinMs?: number;
  /** What the command ends. */
  leaving?: Leaving;
}
