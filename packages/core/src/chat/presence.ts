import type { Chance } from '../chance.ts';
import type { Clock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import { LeaseLost } from '../lease/lease-lost.ts';
import type { Changes } from './changes.ts';
import { ChatError } from './chat-error.ts';
import type { Clients } from './clients.ts';
import type { Doubts } from './doubts.ts';
import { type Matching, nextCommand } from './matching.ts';
import type { MatchStore, PresenceStore, Resumed } from './pair-store.ts';
import { newResumeToken, parseResumeToken, type ResumeToken } from './resume-token.ts';
import type { Roster } from './roster.ts';
import type { User } from './user.ts';
import { isAbsent } from './user-change.ts';

/** The connection of a client that comes. */
export interface Arrival {
  /** Makes it the connection of the user, in place of any other. */
  attach(userId: string): void;
  /** Whether it still is a connection. */
  isOpen(): boolean;
}

export interface PresenceOptions {
  clock: Clock;
  chance: Chance;
  roster: Roster;
  store: PresenceStore & MatchStore;
  clients: Clients;
  lease: Lease;
  doubts: Doubts;
  changes: Changes;
  matching: Matching;
}

/**
 * The coming and going of users. A user's old connection may end, or be found out to be dead, while a new one resumes, on this
 * node or another one: both go through the user's mailbox, so that the store is told in the order in which it happened, and
 * each first looks whether it is still wanted.
 */
export class Presence {
  readonly #options: PresenceOptions;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** See {@link ChatService.resume}. */
  async resume(newUserId: string, token: string | undefined, arrival: Arrival): Promise<string> {
    const { chance, roster, clients, lease } = this.#options;
    const shown = token === undefined ? undefined : parseResumeToken(token);
    if (shown) {
      if (roster.mailboxOf(shown.userId)?.isFull('arrival')) throw new ChatError('UNAVAILABLE');
      const isGood = await roster.post(shown.userId, 'arrival', () => this.#arrive(shown, arrival));
      if (isGood) return shown.userId;
    }
    const fresh = newResumeToken(newUserId, chance);
    roster.add(newUserId, fresh.hash);
    arrival.attach(newUserId);
    const { graceMs } = lease;
    clients.emit(newUserId, 'welcome', { token: fresh.text, resumed: false, graceMs, state: 'idle' });
    return newUserId;
  }

  /** See {@link ChatService.disconnect}. */
  async disconnect(user: User, how: 'lost' | 'left'): Promise<void> {
    const { roster } = this.#options;
    const { userId, connection } = user;
    // From here on nothing is done for the user, unless another connection is just taking the place of this one.
    if (!user.mailbox.has('arrival')) roster.remove(user, how);
    await roster.post(userId, 'departure', async () => {
      if (!user.isGone) {
        if (roster.get(userId) !== user || user.connection !== connection) return;
        roster.remove(user, how);
      }
      await this.#depart(user, how);
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
    const { clock, store, lease, doubts, changes, matching } = this.#options;
    const { userId } = user;
    // Or those who leave while the store is away would pile up.
    doubts.trust(user);
    if (user.lastRequestId === 0) return;
    // A command that may still be carried out, once more perhaps, would bring the user back.
    if (clock.now() < user.unsettledUntil) return doubts.disown(userId, how);
    try {
      const command = nextCommand(user, this.#options);
      const [, ...others] =
        user.token !== undefined && how === 'lost'
          ? await store.suspend({ ...command, graceMs: lease.graceMs })
          : await store.leave({ ...command, reason: 'disconnect', messages: user.messages, forget: true });
      void matching.searchOn(changes.apply(others));
    } catch {
      doubts.disown(userId, how);
    }
  }

  /** @returns whether the token was good */
  async #arrive(shown: ResumeToken, arrival: Arrival): Promise<boolean> {
    // A client that did not wait may be somewhere else by now, and must not be taken from there.
    if (!arrival.isOpen()) throw new ChatError('UNAVAILABLE');
    const next = newResumeToken(shown.userId, this.#options.chance);
    const resumed = await this.#askStore(shown, next.hash);
    if (resumed) this.#take(resumed, next, arrival);
    return resumed !== undefined;
  }

  async #askStore({ userId, hash }: ResumeToken, nextToken: string): Promise<Resumed | undefined> {
    const { roster, store, lease, doubts } = this.#options;
    const { nodeId } = lease;
    // A command of an earlier connection may still be carried out, with the number of one that this connection will give.
    if (!lease.actsAs(nodeId) || doubts.isUnsettled(userId)) throw new ChatError('UNAVAILABLE');
    try {
      const resumed = await store.resume({ userId, nodeId, token: hash, nextToken });
      if (!lease.actsAs(nodeId)) throw new LeaseLost(nodeId);
      return resumed;
    } catch (error) {
      if (error instanceof LeaseLost) lease.doubt();
      if (!roster.has(userId)) doubts.disown(userId, 'lost');
      throw error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  #take({ requestId, changes: [own, ...others] }: Resumed, token: ResumeToken, arrival: Arrival): void {
    const { roster, clients, lease, doubts, changes, matching } = this.#options;
    const { userId } = token;
    const user = roster.resume(userId, token.hash, requestId);
    arrival.attach(userId);
    // A resume is never answered with the user's absence.
    if (own && !isAbsent(own)) changes.applyTo(user, own, 'resume');
    const { session, state } = user;
    const partnerAway = session?.partnerNode === undefined;
    clients.emit(userId, 'welcome', {
      ...{ token: token.text, resumed: true, graceMs: lease.graceMs, state },
      ...(session && { session: { sessionId: session.sessionId, startedAt: session.startedAt, partnerAway } }),
    });
    const searching = changes.apply(others);
    // A partner who is nowhere may be away, or lost with data of the store.
    if (session && partnerAway) doubts.doubt(user, 'compare');
    // While the user was away, somebody may have come into the queue.
    void matching.searchOn(state === 'waiting' ? [...searching, user] : searching);
  }
}
