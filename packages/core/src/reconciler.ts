import type { Clock } from './clock.ts';
import { inSlices } from './in-slices.ts';
import type { Lease } from './lease.ts';
import type { Log } from './log.ts';
import type { PairStore } from './pair-store.ts';
import { SlowRound } from './slow-round.ts';
import type { User } from './user.ts';
import { isAbsent, type UserChange } from './user-change.ts';

/**
 * Everyone is compared once in this time, also where nothing is in doubt, in ms: what was lost in a way that nobody thought of does
 * not stay lost for more than two rounds. A comparison takes 13 µs of Redis, so this is 2 % of Redis for 100,000 users, and as
 * little of a node with 10,000.
 */
const roundMs = 60_000;
/** More users than this are not noted by name: they are looked for in the registry. */
const maxStrays = 10_000;

/**
 * What is to be done about a user of whom the registry may know more, when it is known: `take back` a search that was answered
 * with an error and was carried out all the same; `search on` for one who believes to wait; or only `compare`.
 */
type Remedy = 'take back' | 'search on' | 'compare';

/** A new object for each reason to doubt: one that came while the registry was being asked is not settled by the answer. */
interface Doubt {
  remedy: Remedy;
  /** The number of the user's last command by then. */
  since: number;
}

/** How a user who may still be in the registry went, and from when on the registry may be told. */
interface Stray {
  from: number;
  how: 'lost' | 'left';
}

export interface ReconcilerOptions {
  clock: Clock;
  users: ReadonlyMap<string, User>;
  store: PairStore;
  lease: Lease;
  log: Log;
  /** Whether the user is just coming or going: it is not for sure whether the user is here. */
  isPassing(userId: string): boolean;
  /** Applies what the store says. */
  apply(changes: UserChange[]): void;
  /** Looks for a partner for a user who waits. Must not reject. */
  search(user: User): Promise<void>;
  /** Ends what the user is doing now, if nothing else changes that before. Must not reject. */
  end(user: User, reason: 'end' | 'timeout'): Promise<void>;
}

/**
 * Makes the node and the pair registry agree again after messages, replies or data were lost. The registry is asked about
 * the users of the node, in batches: what is newer there is applied here, what it has lost is restored, and users that it
 * has for this node but that are not here are taken from it.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** Anything may differ. */
  #doubtAll = false;
  /** Users of whom the registry may know more than the node. */
  readonly #doubted = new Map<User, Doubt>();
  /** Users in a session that their partner's entry does not confirm, and when it ends if that stays so. */
  readonly #unconfirmed = new Map<User, { sessionId: string; deadline: number }>();
  /** Users whom the registry may have for this node though they are not here. */
  readonly #strays = new Map<string, Stray>();
  readonly #round: SlowRound;
  /** Where the search for strays goes on; undefined while there is none. It looks at about 200 users at a time. */
  #strayCursor: string | undefined;
  #nextScanAt: number | undefined;
  #working = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#round = new SlowRound(options.clock, roundMs);
  }

  /** Something may have been missed: everything is compared. */
  doubtAll(): void {
    this.#doubtAll = true;
  }

  /** The registry may know more of the user, and is asked when nothing is under way any more. */
  doubt(user: User, remedy: Remedy): void {
    this.#doubted.set(user, { remedy, since: user.lastRequestId });
  }

  /** What the node knows of a user, who may be here or not, seems to be wrong. It is compared, once for any number of signs. */
  suspect(userId: string): void {
    const user = this.#options.users.get(userId);
    if (user) this.doubt(user, this.#doubted.get(user)?.remedy ?? 'compare');
    else if (!this.#strays.has(userId)) this.#addStray(userId, 0, 'lost');
  }

  /** A command of the user succeeded, and its reply told all that came before it; or the user is gone. */
  trust(user: User, requestId = Number.POSITIVE_INFINITY): void {
    if ((this.#doubted.get(user)?.since ?? 0) < requestId) this.#doubted.delete(user);
    this.#unconfirmed.delete(user);
  }

  /** The registry could not be told that a user is not here: it will be, unless the user is here by then. */
  disown(userId: string, how: 'lost' | 'left'): void {
    if (this.#strays.size === 0) this.#options.log.warn({}, 'The store cannot be told that users left. It will be.');
    this.#addStray(userId, this.#options.clock.now() + this.#options.store.settleMs, how);
  }

  /**
   * A user lives elsewhere now: the store is told that this node has nothing of them any more.
   * @param from until then, by the clock's `now()`, a command of this node may still be carried out
   */
  release(userId: string, from: number): void {
    this.#addStray(userId, from, 'lost');
  }

  /** Whether something about a user who is not here, or was not until now, may still be carried out. */
  isUnsettled(userId: string): boolean {
    return this.#options.clock.now() < (this.#strays.get(userId)?.from ?? 0);
  }

  /** Forgets everything: the lease is lost, and others clear the registry of this node. */
  clear(): void {
    this.#doubtAll = false;
    this.#doubted.clear();
    this.#unconfirmed.clear();
    this.#strays.clear();
    this.#round.clear();
    this.#strayCursor = undefined;
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
      await this.#disownStrays();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'The store could not be asked about the users of this node. It will be.');
    } finally {
      this.#working = false;
    }
  }

  #addStray(userId: string, from: number, how: Stray['how']): void {
    const known = this.#strays.get(userId)?.how ?? how;
    if (this.#strays.size < maxStrays) this.#strays.set(userId, { from, how: how === 'left' ? how : known });
    else this.#doubtAll = true;
  }

  async #compareAll(): Promise<void> {
    if (!this.#doubtAll) return;
    this.#doubtAll = false;
    const { users, search } = this.#options;
    const inRegistry = [...users.values()].filter(user => user.lastRequestId > 0);
    try {
      await this.#compare(inRegistry);
      this.#strayCursor = '0';
      while (this.#strayCursor !== undefined) await this.#findStrays();
    } catch (error) {
      this.#doubtAll = true;
      throw error;
    }
    // Two who could be paired may have come into the queue without a search. Not for those who will be taken out of it.
    const waiting = inRegistry.filter(user => this.#doubted.get(user)?.remedy !== 'take back');
    for (const user of waiting) if (user.state === 'waiting') await search(user);
  }

  /** Compares whoever's turn it is, and looks for strays now and then. */
  async #compareNext(): Promise<void> {
    const { users } = this.#options;
    const due = this.#round.due(users.keys());
    const inRegistry = due.flatMap(userId => users.get(userId) ?? []).filter(user => user.lastRequestId > 0);
    await this.#compare(inRegistry);
    this.#round.done(due.length);
    const now = this.#options.clock.now();
    this.#nextScanAt ??= now + roundMs;
    if (now >= this.#nextScanAt) {
      this.#nextScanAt = now + roundMs;
      this.#strayCursor ??= '0';
    }
    await this.#findStrays();
  }

  /** Compares users, of whom none is left out: with whom it could not be done, it is done later. */
  async #compare(users: User[]): Promise<void> {
    const compared = await this.#sync(users);
    for (const user of users) if (!compared.has(user) && !user.gone) this.suspect(user.userId);
  }

  /** Looks at some of the users whom the registry has for this node. */
  async #findStrays(): Promise<void> {
    const { users, store, lease } = this.#options;
    if (this.#strayCursor === undefined) return;
    const { userIds, next } = await store.usersOf(lease.nodeId, this.#strayCursor);
    // Somebody may be just leaving, or just coming: later it is looked at again.
    for (const userId of userIds) if (!users.has(userId)) this.suspect(userId);
    this.#strayCursor = next === '0' ? undefined : next;
  }

  async #settleDoubts(): Promise<void> {
    const { search, end } = this.#options;
    const due = [...this.#doubted].filter(([user]) => this.#options.clock.now() >= user.unsettledUntil);
    const compared = await this.#sync(due.map(([user]) => user));
    const isSettled = ([user, doubt]: [User, Doubt]) =>
      compared.has(user) && this.#doubted.get(user) === doubt && (doubt.remedy === 'compare' || !user.busy);
    await inSlices(this.#options.clock, due, slice => {
      // What the user asked for was answered with an error; so a search that was carried out is taken back. All at once: what
      // a user asks for from now on comes after it.
      const settled = slice.filter(isSettled);
      for (const [user] of settled) this.#doubted.delete(user);
      const remedies = settled.map(([user, { remedy }]) => {
        if (remedy === 'take back' && user.state === 'waiting') return end(user, 'end');
        return remedy === 'search on' && !user.session ? search(user) : undefined;
      });
      return Promise.all(remedies);
    });
  }

  async #settleUnconfirmed(): Promise<void> {
    const compared = await this.#sync([...this.#unconfirmed.keys()]);
    const isDue = (deadline: number) => this.#options.clock.now() >= deadline;
    const due = [...this.#unconfirmed].filter(([user, { deadline }]) => compared.has(user) && isDue(deadline));
    await inSlices(this.#options.clock, due, slice => {
      const over = slice.filter(([user, unconfirmed]) => this.#unconfirmed.get(user) === unconfirmed);
      for (const [user] of over) this.#unconfirmed.delete(user);
      const inIt = over.filter(([user, { sessionId }]) => user.session?.sessionId === sessionId);
      return Promise.all(inIt.map(([user]) => this.#options.end(user, 'timeout')));
    });
  }

  async #disownStrays(): Promise<void> {
    const { users, store, lease, apply, isPassing } = this.#options;
    const due = [...this.#strays].filter(([, { from }]) => this.#options.clock.now() >= from);
    await inSlices(this.#options.clock, due, async slice => {
      // Who is just coming or going is looked at the next time.
      const settled = slice.filter(([userId]) => !isPassing(userId));
      const absent = settled.filter(([userId]) => !users.has(userId));
      // Who said goodbye does not come back.
      for (const [how, graceMs] of Object.entries({ lost: lease.graceMs, left: 0 })) {
        const userIds = absent.filter(([, stray]) => stray.how === how).map(([userId]) => userId);
        if (userIds.length === 0) continue;
        // One who came back while this is under way could be taken away again.
        for (const [, stray] of absent) stray.from = this.#options.clock.now() + store.settleMs;
        apply(await store.disown(lease.nodeId, userIds, graceMs));
      }
      // Unless there is a new reason meanwhile.
      for (const [userId, stray] of settled) if (this.#strays.get(userId) === stray) this.#strays.delete(userId);
    });
  }

  /** Compares some users; those with commands under way when these are done. @returns with whom it could be done */
  async #sync(users: User[]): Promise<Set<User>> {
    const compared = new Set<User>();
    const later: Promise<unknown>[] = [];
    const compareLater = (user: User) =>
      user
        .inTurn(() => this.#syncBatch([user]))
        .then(
          () => compared.add(user),
          () => undefined,
        );
    await inSlices(this.#options.clock, users, async slice => {
      const free = slice.filter(user => !user.busy);
      later.push(...slice.filter(user => user.busy).map(compareLater));
      await this.#syncBatch(free);
      for (const user of free) compared.add(user);
    });
    await Promise.all(later);
    return compared;
  }

  async #syncBatch(batch: User[]): Promise<void> {
    const { store, lease, apply } = this.#options;
    const users = batch.filter(user => !user.gone);
    for (const user of batch) if (user.gone) this.trust(user);
    if (users.length === 0) return;
    const known = users.map(user => user.known);
    let changes: UserChange[];
    try {
      changes = await store.sync(lease.nodeId, known);
    } finally {
      // Who left meanwhile may have been restored after that.
      for (const { userId, saidGoodbye } of users.filter(user => user.gone)) {
        this.#addStray(userId, this.#options.clock.now() + store.settleMs, saidGoodbye ? 'left' : 'lost');
      }
    }
    apply(changes);
    changes.forEach((change, at) => {
      const user = users[at];
      if (!user) return;
      const { session } = user;
      if (isAbsent(change) || !change.unconfirmed || !session) this.#unconfirmed.delete(user);
      else if (this.#unconfirmed.get(user)?.sessionId !== session.sessionId) {
        this.#unconfirmed.set(user, {
          sessionId: session.sessionId,
          deadline: this.#options.clock.now() + lease.leaseMs,
        });
      }
    });
  }
}
