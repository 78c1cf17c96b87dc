import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { SyncStore } from './pair-store.ts';
import type { Roster } from './roster.ts';
import type { User } from './user.ts';

/**
 * What is to be done about a user of whom the registry may know more, when it is known: `take back` a search that was answered
 * with an error and was carried out all the same; `search on` for one who believes to wait; or only `compare`.
 */
export type Remedy = 'take back' | 'search on' | 'compare';

/** A new object for each reason to doubt: one that came while the registry was being asked is not settled by the answer. */
export interface Doubt {
  remedy: Remedy;
  /** The number of the user's last command by then. */
  since: number;
}

/** A session that the partner's entry does not confirm, and when it ends if that stays so. */
export interface Unconfirmed {
  sessionId: string;
  deadline: number;
}

export interface DoubtsOptions {
  clock: Clock;
  roster: Roster;
  store: Pick<SyncStore, 'settleMs'>;
  log: Log;
}

/** Where this node and the registry may differ. Noted by whoever finds it out, settled by the {@link Reconciler}. */
export class Doubts {
  readonly #options: DoubtsOptions;
  #isEverything = false;
  /** Users of whom the registry may know more than the node. */
  readonly users = new Map<User, Doubt>();
  readonly unconfirmed = new Map<User, Unconfirmed>();

  constructor(options: DoubtsOptions) {
    this.#options = options;
  }

  /** Something may have been missed: everything is compared. */
  doubtAll(): void {
    this.#isEverything = true;
  }

  /** Whether everything is in doubt; from now on it is not, until it is doubted again. */
  takeAll(): boolean {
    const isEverything = this.#isEverything;
    this.#isEverything = false;
    return isEverything;
  }

  /** The registry may know more of the user, and is asked when nothing is under way any more. */
  doubt(user: User, remedy: Remedy): void {
    this.users.set(user, { remedy, since: user.lastRequestId });
  }

  /** What the node knows of a user, who may be here or not, seems to be wrong. It is compared, once for any number of signs. */
  suspect(userId: string): void {
    const { roster } = this.#options;
    const user = roster.get(userId);
    if (user) this.doubt(user, this.users.get(user)?.remedy ?? 'compare');
    else if (!roster.quarantined.has(userId)) this.#quarantine(userId, 0, 'lost');
  }

  /** A command of the user succeeded, and its reply told all that came before it; or the user is gone. */
  trust(user: User, requestId = Number.POSITIVE_INFINITY): void {
    if ((this.users.get(user)?.since ?? 0) < requestId) this.users.delete(user);
    this.unconfirmed.delete(user);
  }

  /** The registry could not be told that a user is not here: it will be, unless the user is here by then. */
  disown(userId: string, how: 'lost' | 'left'): void {
    const { roster, log, store } = this.#options;
    if (roster.quarantined.size === 0) log.warn({}, 'The store cannot be told that users left. It will be.');
    this.#quarantine(userId, this.#options.clock.now() + store.settleMs, how);
  }

  /**
   * A user lives elsewhere now: the store is told that this node has nothing of them any more, once nothing is under way for
   * them here.
   */
  async moved(user: User): Promise<void> {
    const quarantine = () => this.#quarantine(user.userId, user.unsettledUntil, 'lost');
    await this.#options.roster.post(user.userId, 'departure', quarantine);
  }

  /** The registry may have got the user again while they left. */
  restored({ userId, departed = 'lost' }: User): void {
    this.#quarantine(userId, this.#options.clock.now() + this.#options.store.settleMs, departed);
  }

  /** Whether something about a user who is not here, or was not until now, may still be carried out. */
  isUnsettled(userId: string): boolean {
    return this.#options.clock.now() < (this.#options.roster.quarantined.get(userId)?.from ?? 0);
  }

  /** Forgets everything: the lease is lost, and others clear the registry of this node. */
  clear(): void {
    this.#isEverything = false;
    this.users.clear();
    this.unconfirmed.clear();
  }

  #quarantine(userId: string, from: number, how: 'lost' | 'left'): void {
    // They are looked for in the registry.
    if (!this.#options.roster.quarantine(userId, from, how)) this.doubtAll();
  }
}
