import { ChatError } from './chat-error.ts';
import type { Clock } from './clock.ts';
import type { Lease } from './lease.ts';
import type { KnownUser, UserCommand } from './pair-store.ts';
import type { PresentUserChange, SessionSide, UserState } from './user-change.ts';

/** A node's side of a session. */
export interface LocalSession extends Omit<SessionSide, 'partnerNode'> {
  /** Undefined while the partner is away. */
  partnerNode: string | undefined;
  /** In both directions; null when it cannot be known, because the user came from another node. */
  messages: number | null;
  /** The highest number of a message of the user's, 0 at first. A resuming client numbers its own, for a plain one the node does. */
  sent: number;
  /** The highest number of a message to the user that was passed on. From a resuming to a plain client, all up to it were. */
  shown: number;
}

/** A command under way that ends a chat. Until it fails, nothing can be said there any more. */
export interface Leaving {
  /** `any`: also one that begins meanwhile. The next session that a skip finds is not ended by it. */
  ends: LocalSession | 'any' | undefined;
}

/** More commands of one user, or more messages to one user, than this are not kept waiting. */
const maxPending = 50;

/**
 * A user of this node, and the node's copy of the user's entry in the pair registry:
 *
 *            search                 matched
 *   idle ──────────────▶ waiting ──────────────▶ paired
 *    ▲ ▲                    │                     │ │
 *    │ └──────── end ───────┘                     │ └── skip ──▶ waiting or paired
 *    └────────── end, or the partner left ────────┘
 *
 * The copy changes only by a UserChange from the store: in the reply to a command of this node, or in a notice that the
 * store sent because of somebody else's command. The two ways may overtake each other, so a change carries the revision
 * of the entry, and only a newer one counts. Commands of one user run one after the other. A chat message carries no
 * revision: one that comes while a command of its recipient is under way waits for it, for the reply may be the very
 * match that the message belongs to.
 */
export class User {
  readonly userId: string;
  /** Hash of the token that resumes the user; undefined for a plain one. */
  token: string | undefined;
  /** The token before this one still resumes the user: the client is not known to have this one. */
  isTokenNew = false;
  revision = 0;
  state: UserState['state'] = 'idle';
  session: LocalSession | undefined;
  /** Since when the user waits, by the clock's `now()`; of one who came waiting, since that moment. */
  waitingSince = 0;
  /** The partner of the last session. */
  parted: string | undefined;
  lastRequestId = 0;
  /** The commands under way that end a chat. */
  readonly leaving = new Set<Leaving>();
  /** Counts the connections that the user has had on this node. */
  connection = 0;
  /** The user is not on this node any more. */
  gone = false;
  /** The client left, and will not come back. */
  saidGoodbye = false;
  /** Until then, by the clock's `now()`, a command that failed, or was given again, may still be carried out. */
  unsettledUntil = 0;
  /** Commands that are not done yet. */
  #pending = 0;
  /** Deliveries that wait for them. */
  #held = 0;
  readonly #clock: Clock;
  #tail: Promise<unknown> = Promise.resolve();
  /** Resolves when the last of what the user sent to another node was passed on, or not. */
  #said: Promise<unknown> | undefined;

  constructor(clock: Clock, userId: string, token?: string) {
    this.#clock = clock;
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
    const givenAt = this.#clock.now();
    const done = this.settled()
      .then(() => {
        // A user who left meanwhile must not come into the registry again.
        if (this.gone) throw new ChatError('UNAVAILABLE');
        if (this.#clock.now() - givenAt > withinMs) throw new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
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
      this.unsettledUntil = this.#clock.now() + settleMs;
    };
    return { userId: this.userId, nodeId, requestId: ++this.lastRequestId, repeated };
  }

  /** Whether this is the user's session; also if none is named. */
  isIn(sessionId: string | undefined): boolean {
    return sessionId === undefined || this.session?.sessionId === sessionId;
  }

  /** Whether a command under way ends this session of the user's. */
  isEnding(session: LocalSession): boolean {
    for (const { ends } of this.leaving) if (ends === 'any' || ends === session) return true;
    return false;
  }

  /** How many messages the session has had, as far as it is known. */
  get messages(): number | null {
    return this.session ? this.session.messages : 0;
  }

  /** Makes the copy what the registry says. */
  adopt(change: PresentUserChange): void {
    const before = this.session;
    this.revision = change.revision;
    if (change.state === 'waiting' && this.state !== 'waiting') this.waitingSince = this.#clock.now();
    this.state = change.state;
    this.session = undefined;
    if (change.state !== 'paired') return;
    const { partnerNode, ...side } = change.session;
    this.parted = side.partnerId;
    const isSame = before?.sessionId === side.sessionId;
    this.session = isSame ? before : { ...side, partnerNode, messages: 0, sent: 0, shown: 0 };
    this.session.partnerNode = partnerNode;
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
      revision: this.revision,
      requestId: this.lastRequestId,
      ...(this.token !== undefined && { token: this.token }),
      ...(this.parted !== undefined && { parted: this.parted }),
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
