import type { Clock } from '../clock.ts';
import type { Lease } from '../lease/lease.ts';
import type { Log } from '../log.ts';
import type { Changes } from './changes.ts';
import type { Doubt, Doubts } from './doubts.ts';
import { inSlices } from './in-slices.ts';
import type { Matching } from './matching.ts';
import type { SyncStore } from './pair-store.ts';
import type { Roster } from './roster.ts';
import { SlowRound } from './slow-round.ts';
import type { User } from './user.ts';
import { isAbsent, type UserChange } from './user-change.ts';

/**
 * Everyone is compared once in this time, also where nothing is in doubt, in ms: what was lost in a way that nobody thought of does
 * not stay lost for more than two rounds. A comparison takes 13 µs of Redis, so this is 2 % of Redis for 100,000 users, and as
 * little of a node with 10,000.
 */
const roundMs = 60_000;
export interface ReconcilerOptions {
  clock: Clock;
  roster: Roster;
  doubts: Doubts;
  store: SyncStore;
  lease: Lease;
  log: Log;
  changes: Changes;
  matching: Matching;
}

/**
 * Makes the node and the pair registry agree again after messages, replies or data were lost. The registry is asked about
 * the users of the node, in batches: what is newer there is applied here, what it has lost is restored, and users that it
 * has for this node but that are not here are taken from it.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #round: SlowRound;
  /** Where the search for users of whom this node knows nothing goes on; undefined while there is none. It looks at about 200 users at a time. */
  #cursor: string | undefined;
  #nextScanAt: number | undefined;
  #working = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#round = new SlowRound(options.clock, roundMs);
  }

  /** Begins anew: the lease is lost, and others clear the registry of this node. */
  clear(): void {
    this.#round.clear();
    this.#cursor = undefined;
    this.#nextScanAt = undefined;
  }

  /** Does what there is to do. To call now and then while the store can be reached; what fails is done the next time. */
  async work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    try {
      await this.#compareAll();
      await this.#compareNext();
      await this.#settleDoubts();
      await this.#settleUnconfirmed();
      await this.#clearQuarantine();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'The store could not be asked about the users of this node. It will be.');
    } finally {
      this.#working = false;
    }
  }

  async #compareAll(): Promise<void> {
    const { roster, doubts, matching } = this.#options;
    if (!doubts.takeAll()) return;
    const inRegistry = [...roster.users].filter(user => user.lastRequestId > 0);
    try {
      await this.#compare(inRegistry);
      this.#cursor = '0';
      while (this.#cursor !== undefined) await this.#findUnknown();
    } catch (error) {
      doubts.doubtAll();
      throw error;
    }
    // Two who could be paired may have come into the queue without a search. Not for those who will be taken out of it.
    const waiting = inRegistry.filter(user => doubts.users.get(user)?.remedy !== 'take back');
    for (const user of waiting) if (user.state === 'waiting') await matching.searchOn([user]);
  }

  /** Compares whoever's turn it is, and looks for unknown users now and then. */
  async #compareNext(): Promise<void> {
    const { roster } = this.#options;
    const due = this.#round.due(roster.userIds);
    const inRegistry = due.flatMap(userId => roster.get(userId) ?? []).filter(user => user.lastRequestId > 0);
    await this.#compare(inRegistry);
    this.#round.done(due.length);
    const now = this.#options.clock.now();
    this.#nextScanAt ??= now + roundMs;
    if (now >= this.#nextScanAt) {
      this.#nextScanAt = now + roundMs;
      this.#cursor ??= '0';
    }
    await this.#findUnknown();
  }

  /** Compares users, of whom none is left out: with whom it could not be done, it is done later. */
  async #compare(users: User[]): Promise<void> {
    const compared = await this.#sync(users);
    for (const user of users) if (!compared.has(user) && !user.isGone) this.#options.doubts.suspect(user.userId);
  }

  /** Looks at some of the users whom the registry has for this node. */
  async #findUnknown(): Promise<void> {
    const { roster, doubts, store, lease } = this.#options;
    if (this.#cursor === undefined) return;
    const { userIds, next } = await store.usersOf(lease.nodeId, this.#cursor);
    // Somebody may be just leaving, or just coming: later it is looked at again.
    for (const userId of userIds) if (!roster.has(userId)) doubts.suspect(userId);
    this.#cursor = next === '0' ? undefined : next;
  }

  async #settleDoubts(): Promise<void> {
    const { doubts, matching } = this.#options;
    const due = [...doubts.users].filter(([user]) => this.#options.clock.now() >= user.unsettledUntil);
    const compared = await this.#sync(due.map(([user]) => user));
    const isSettled = ([user, doubt]: [User, Doubt]) =>
      compared.has(user) && doubts.users.get(user) === doubt && (doubt.remedy === 'compare' || !user.mailbox.isBusy);
    await inSlices(this.#options.clock, due, slice => {
      // What the user asked for was answered with an error; so a search that was carried out is taken back. All at once: what
      // a user asks for from now on comes after it.
      const settled = slice.filter(isSettled);
      for (const [user] of settled) doubts.users.delete(user);
      const remedies = settled.map(([user, { remedy }]) => {
        if (remedy === 'take back' && user.state === 'waiting') return matching.endUnasked(user, 'end');
        return remedy === 'search on' && !user.session ? matching.searchOn([user]) : undefined;
      });
      return Promise.all(remedies);
    });
  }

  async #settleUnconfirmed(): Promise<void> {
    const { doubts, matching } = this.#options;
    const compared = await this.#sync([...doubts.unconfirmed.keys()]);
    const isDue = (deadline: number) => this.#options.clock.now() >= deadline;
    const due = [...doubts.unconfirmed].filter(([user, { deadline }]) => compared.has(user) && isDue(deadline));
    await inSlices(this.#options.clock, due, slice => {
      const over = slice.filter(([user, unconfirmed]) => doubts.unconfirmed.get(user) === unconfirmed);
      for (const [user] of over) doubts.unconfirmed.delete(user);
      const inIt = over.filter(([user, { sessionId }]) => user.session?.sessionId === sessionId);
      return Promise.all(inIt.map(([user]) => matching.endUnasked(user, 'timeout')));
    });
  }

  async #clearQuarantine(): Promise<void> {
    const { roster, store, lease, changes, matching } = this.#options;
    const due = [...roster.quarantined].filter(([, { from }]) => this.#options.clock.now() >= from);
    await inSlices(this.#options.clock, due, async slice => {
      // Who is just coming or going is looked at the next time.
      const settled = slice.filter(([userId]) => !roster.mailboxOf(userId)?.isBusy);
      const absent = settled.filter(([userId]) => !roster.has(userId));
      // Who said goodbye does not come back.
      for (const [how, graceMs] of Object.entries({ lost: lease.graceMs, left: 0 })) {
        const userIds = absent.filter(([, quarantined]) => quarantined.how === how).map(([userId]) => userId);
        if (userIds.length === 0) continue;
        // One who came back while this is under way could be taken away again.
        for (const [, quarantined] of absent) quarantined.from = this.#options.clock.now() + store.settleMs;
        void matching.searchOn(changes.apply(await store.disown(lease.nodeId, userIds, graceMs)));
      }
      for (const [userId, quarantined] of settled) roster.release(userId, quarantined);
    });
  }

  /** Compares some users; those with commands under way when these are done. @returns with whom it could be done */
  async #sync(users: User[]): Promise<Set<User>> {
    const compared = new Set<User>();
    const later: Promise<unknown>[] = [];
    const compareLater = (user: User) =>
      user
        .run(() => this.#syncBatch([user]))
        .then(
          () => compared.add(user),
          () => undefined,
        );
    await inSlices(this.#options.clock, users, async slice => {
      const free = slice.filter(user => !user.mailbox.isBusy);
      later.push(...slice.filter(user => user.mailbox.isBusy).map(compareLater));
      await this.#syncBatch(free);
      for (const user of free) compared.add(user);
    });
    await Promise.all(later);
    return compared;
  }

  async #syncBatch(batch: User[]): Promise<void> {
    const { store, lease, doubts, changes: applied, matching } = this.#options;
    const users = batch.filter(user => !user.isGone);
    for (const user of batch) if (user.isGone) doubts.trust(user);
    if (users.length === 0) return;
    const known = users.map(user => user.known);
    let changes: UserChange[];
    try {
      changes = await store.sync(lease.nodeId, known);
    } finally {
      // Who left meanwhile may have been restored after that.
      for (const user of users) if (user.isGone) doubts.restored(user);
    }
    void matching.searchOn(applied.apply(changes));
    changes.forEach((change, at) => {
      const user = users[at];
      if (!user) return;
      const { session } = user;
      if (isAbsent(change) || !change.unconfirmed || !session) doubts.unconfirmed.delete(user);
      else if (doubts.unconfirmed.get(user)?.sessionId !== session.sessionId) {
        doubts.unconfirmed.set(user, {
          sessionId: session.sessionId,
          deadline: this.#options.clock.now() + lease.leaseMs,
        });
      }
    });
  }
}
