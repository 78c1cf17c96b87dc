import type { Chance } from './chance.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Clock } from './clock.ts';
import type { Lease } from './lease.ts';
import { LeaseLost } from './lease-lost.ts';
import type { NodeMessage } from './node-bus.ts';
import type { PairStore, Resumed } from './pair-store.ts';
import type { Reconciler } from './reconciler.ts';
import { newResumeToken, parseResumeToken, type ResumeToken } from './resume-token.ts';
import { Turns } from './turns.ts';
import { User } from './user.ts';
import { isAbsent, type UserChange } from './user-change.ts';

/** The connection of a client that comes. */
export interface Arrival {
  /** Makes it the connection of the user, in place of any other. */
  attach(userId: string): void;
  /** Whether it still is a connection. */
  isOpen(): boolean;
}

export interface PassagesOptions {
  clock: Clock;
  chance: Chance;
  users: Map<string, User>;
  store: PairStore;
  clients: Clients;
  lease: Lease;
  reconciler: Reconciler;
  /** Applies what the store says of others. */
  apply(changes: UserChange[]): void;
  /** Takes what came too early for a user who is here now. */
  receive(message: NodeMessage): void;
  /** Looks for a partner for a user who waits. Must not reject. */
  searchAgain(user: User): Promise<void>;
}

/** Messages to a user who is about to be here are not kept beyond this number. */
const maxEarly = 50;
/** More connections than this do not wait for one user. */
const maxWaiting = 3;

/**
 * The coming and going of users. A user's old connection may end, or be found out to be dead, while a new one resumes,
 * on this node or another one: what is done about one user is done one after the other, so that the store is told in the
 * order in which it happened, and each step first looks whether it is still wanted.
 */
export class Passages {
  readonly #options: PassagesOptions;
  readonly #turns = new Turns();
  /** What came for users who resume here, before the store's reply that they do: newer than that reply, or not. */
  readonly #early = new Map<string, NodeMessage[]>();

  constructor(options: PassagesOptions) {
    this.#options = options;
  }

  /** Whether the user is just coming or going. */
  has(userId: string): boolean {
    return this.#turns.length(userId) > 0;
  }

  /** Keeps a message for a user who is about to be here. @returns false if there is no such user, or too many are kept */
  keep(userId: string, message: NodeMessage): boolean {
    const early = this.#early.get(userId);
    // The last change may be the only word of a chat's end.
    const tellsOfChange = message.kind === 'change' || message.kind === 'unreadable';
    if (!early || (early.length >= maxEarly && !tellsOfChange)) return false;
    early.push(message);
    return true;
  }

  /** See {@link ChatService.resume}. */
  async resume(newUserId: string, token: string | undefined, arrival: Arrival): Promise<string> {
    const { users, clients, lease, clock, chance } = this.#options;
    const shown = token === undefined ? undefined : parseResumeToken(token);
    if (shown && this.#turns.length(shown.userId) >= maxWaiting) throw new ChatError('UNAVAILABLE');
    if (shown && (await this.#turns.take(shown.userId, () => this.#arrive(shown, arrival)))) return shown.userId;
    const fresh = newResumeToken(newUserId, chance);
    users.set(newUserId, new User(clock, newUserId, fresh.hash));
    arrival.attach(newUserId);
    const { graceMs } = lease;
    clients.emit(newUserId, 'welcome', { token: fresh.text, resumed: false, graceMs, state: 'idle' });
    return newUserId;
  }

  /** See {@link ChatService.disconnect}. */
  async disconnect(user: User, how: 'lost' | 'left'): Promise<void> {
    const { userId, connection } = user;
    await this.#turns.take(userId, async () => {
      // Otherwise a newer connection has taken its place meanwhile.
      if (this.#options.users.get(userId) === user && user.connection === connection) await this.#depart(user, how);
    });
  }

  /** The user lives elsewhere now. What is still under way for them here is over before they can come back here. */
  async release(user: User): Promise<void> {
    await this.#turns.take(user.userId, async () => {
      await user.settled();
      this.#options.reconciler.release(user.userId, user.unsettledUntil);
    });
  }

  /** The client has its token: the one before it, which somebody else may have got hold of, is of no use any more. */
  async retireToken(user: User): Promise<void> {
    const { userId, token } = user;
    if (!user.isTokenNew || token === undefined) return;
    user.isTokenNew = false;
    try {
      await this.#options.store.retireToken({ userId, nodeId: this.#options.lease.nodeId, token });
    } catch {
      // With the next event of the client it is tried again.
      user.isTokenNew ||= user.token === token;
    }
  }

  async #depart(user: User, how: 'lost' | 'left'): Promise<void> {
    const { clock, users, store, lease, reconciler, apply } = this.#options;
    const { userId } = user;
    users.delete(userId);
    user.gone = true;
    user.saidGoodbye = how === 'left';
    await user.settled();
    // Or those who leave while the store is away would pile up.
    reconciler.trust(user);
    if (user.lastRequestId === 0) return;
    // A command that may still be carried out, once more perhaps, would bring the user back.
    if (clock.now() < user.unsettledUntil) return reconciler.disown(userId, how);
    try {
      const command = user.command(lease, store.settleMs);
      const [, ...others] =
        user.token !== undefined && how === 'lost'
          ? await store.suspend({ ...command, graceMs: lease.graceMs })
          : await store.leave({ ...command, reason: 'disconnect', messages: user.messages, forget: true });
      apply(others);
    } catch {
      reconciler.disown(userId, how);
    }
  }

  /** @returns whether the token was good */
  async #arrive(shown: ResumeToken, arrival: Arrival): Promise<boolean> {
    const { userId } = shown;
    const next = newResumeToken(userId, this.#options.chance);
    // What this connection replaces may be doing something on this node.
    await this.#options.users.get(userId)?.settled();
    // A client that did not wait may be somewhere else by now, and must not be taken from there.
    if (!arrival.isOpen()) throw new ChatError('UNAVAILABLE');
    const early: NodeMessage[] = [];
    this.#early.set(userId, early);
    try {
      const resumed = await this.#askStore(shown, next.hash);
      if (resumed) this.#take(resumed, next, arrival);
      return resumed !== undefined;
    } finally {
      this.#early.delete(userId);
      for (const message of early) this.#options.receive(message);
    }
  }

  async #askStore({ userId, hash }: ResumeToken, nextToken: string): Promise<Resumed | undefined> {
    const { users, store, lease, reconciler } = this.#options;
    const { nodeId } = lease;
    // A command of an earlier connection may still be carried out, with the number of one that this connection will give.
    if (!lease.actsAs(nodeId) || reconciler.isUnsettled(userId)) throw new ChatError('UNAVAILABLE');
    try {
      const resumed = await store.resume({ userId, nodeId, token: hash, nextToken });
      if (!lease.actsAs(nodeId)) throw new LeaseLost(nodeId);
      return resumed;
    } catch (error) {
      if (error instanceof LeaseLost) lease.doubt();
      if (!users.has(userId)) reconciler.disown(userId, 'lost');
      throw error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  #take({ requestId, changes }: Resumed, token: ResumeToken, arrival: Arrival): void {
    const { clock, users, clients, lease, reconciler, apply, searchAgain } = this.#options;
    const { userId } = token;
    const user = users.get(userId) ?? new User(clock, userId);
    users.set(userId, user);
    user.token = token.hash;
    user.isTokenNew = true;
    user.connection++;
    user.lastRequestId = Math.max(user.lastRequestId, requestId);
    arrival.attach(userId);
    const [own, ...others] = changes;
    if (own && !isAbsent(own) && own.revision > user.revision) {
      const before = user.session;
      user.adopt(own);
      // How many messages there were is known only where all of them passed.
      if (user.session && user.session.sessionId !== before?.sessionId) user.session.messages = null;
    }
    const { session, state } = user;
    const partnerAway = session?.partnerNode === undefined;
    clients.emit(userId, 'welcome', {
      ...{ token: token.text, resumed: true, graceMs: lease.graceMs, state },
      ...(session && { session: { sessionId: session.sessionId, startedAt: session.startedAt, partnerAway } }),
    });
    apply(others);
    // A partner who is nowhere may be away, or lost with data of the store.
    if (session && partnerAway) reconciler.doubt(user, 'compare');
    // While the user was away, somebody may have come into the queue.
    if (state === 'waiting') void searchAgain(user);
  }
}
