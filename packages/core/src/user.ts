import { ChatError } from './chat-error.ts';
import type { Lease } from './lease.ts';
import type { KnownUser, UserCommand } from './pair-store.ts';
import { type ChatState, type LocalSession, newcomer } from './transition.ts';

/** A command under way that ends a chat. Until it fails, nothing can be said there any more. */
export interface Leaving {
  /** `any`: also one that begins meanwhile. The next session that a skip finds is not ended by it. */
  ends: { sessionId: string } | 'any' | undefined;
}

/** More commands of one user, or more messages to one user, than this are not kept waiting. */
const maxPending = 50;

/**
 * A user of this node. Commands of one user run one after the other. A chat message carries no revision: one that comes
 * while a command of its recipient is under way waits for it, for the reply may be the very match that the message belongs to.
 */
export class User {
  readonly userId: string;
  /** Hash of the token that resumes the user; undefined for a plain one. */
  token: string | undefined;
  /** The token before this one still resumes the user: the client is not known to have this one. */
  isTokenNew = false;
  /** Changes only by a {@link transition}. */
  chat: ChatState = newcomer;
  lastRequestId = 0;
  /** The commands under way that end a chat. */
  readonly leaving = new Set<Leaving>();
  /** Counts the connections that the user has had on this node. */
  connection = 0;
  /** The user is not on this node any more. */
  gone = false;
  /** The client left, and will not come back. */
  saidGoodbye = false;
  /** Until then, on the clock of `performance.now()`, a command that failed, or was given again, may still be carried out. */
  unsettledUntil = 0;
  /** Commands that are not done yet. */
  #pending = 0;
  /** Deliveries that wait for them. */
  #held = 0;
  #tail: Promise<unknown> = Promise.resolve();
  /** Resolves when the last of what the user sent to another node was passed on, or not. */
  #said: Promise<unknown> | undefined;

  constructor(userId: string, token?: string) {
    this.userId = userId;
    this.token = token;
  }

  /** Whether commands, or messages that wait for them, are under way. */
  get busy(): boolean {
    return this.#pending + this.#held > 0;
  }

  /**
   * Runs a command when the ones before it are done, and what the user said before it was passed on: last words must not
   * come after the end. Rejects with `UNAVAILABLE` if the user leaves meanwhile, or if that takes longer than `withinMs`.
   */
  inTurn<Result>(command: () => Promise<Result>, withinMs = Number.POSITIVE_INFINITY): Promise<Result> {
    if (this.#pending >= maxPending) return Promise.reject(new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: 1000 }));
    this.#pending++;
    const givenAt = performance.now();
    const done = this.settled()
      .then(() => {
        // A user who left meanwhile must not come into the registry again.
        if (this.gone) throw new ChatError('UNAVAILABLE');
        if (performance.now() - givenAt > withinMs) throw new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
        return command();
      })
      .finally(() => this.#pending--);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Makes a delivery when the commands before it are done. @returns false if too many wait already */
  hold(deliver: () => void): boolean {
    if (this.#held >= maxPending) return false;
    this.#held++;
    this.#tail = this.#tail.then(() => {
      this.#held--;
      deliver();
    });
    return true;
  }

  /** Names the next command, for a store with this `settleMs`. Throws `UNAVAILABLE` when the node holds no lease. */
  command(lease: Lease, settleMs: number): UserCommand {
    const { nodeId } = lease;
    if (!lease.actsAs(nodeId)) throw new ChatError('UNAVAILABLE');
    const repeated = () => {
      this.unsettledUntil = performance.now() + settleMs;
    };
    return { userId: this.userId, nodeId, requestId: ++this.lastRequestId, repeated };
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

  /** Whether a command under way ends this session of the user's. */
  isEnding({ sessionId }: LocalSession): boolean {
    for (const { ends } of this.leaving) if (ends === 'any' || ends?.sessionId === sessionId) return true;
    return false;
  }

  /** How many messages the session has had, as far as it is known. */
  get messages(): number | null {
    return this.session ? this.session.tally.messages : 0;
  }

  /** Notes that something the user said is on its way to another node. */
  say(sent: Promise<unknown>): void {
    this.#said = sent;
  }

  /** Resolves when no command is under way, and nothing that the user said. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#tail, this.#said]);
  }

  /** What the node knows, to be compared with the registry. */
  get known(): KnownUser {
    const base = {
      userId: this.userId,
      revision: this.chat.revision,
      requestId: this.lastRequestId,
      ...(this.token !== undefined && { token: this.token }),
      ...(this.chat.parted !== undefined && { parted: this.chat.parted }),
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
