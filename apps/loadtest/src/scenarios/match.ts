import type { LoadUser } from '../load-user.ts';
import { Pacer } from '../pacer.ts';
import type { Load, Scenario } from '../scenario.ts';

/** Users search, and end the chat as soon as they are matched. */
export class Match implements Scenario {
  /** Those who have nothing to do, the longest idle first. */
  #free = new Set<LoadUser>();
  /** When the searches were due for which nobody was free. */
  #overdue: number[] = [];
  #load: Load | undefined;
  readonly #pacer = new Pacer(dueAt => this.#search(dueAt));

  begin(load: Load): void {
    this.#load = load;
    this.#pacer.set(load.perSecond, load.at);
  }

  setRate(perSecond: number): void {
    this.#overdue = [];
    this.#pacer.set(perSecond);
  }

  stop(): void {
    // These have no latency. Uncounted, a server that is too slow for the rate would hide them.
    for (const _ of this.#overdue) this.#load?.tally.error('NOBODY_FREE');
    this.#overdue = [];
    this.#load = undefined;
    this.#pacer.stop();
  }

  arrived(user: LoadUser): void {
    this.parted(user);
  }

  matched(user: LoadUser): void {
    user.end();
  }

  parted(user: LoadUser): void {
    const dueAt = this.#overdue.shift();
    if (dueAt === undefined) this.#free.add(user);
    else user.search(dueAt);
  }

  #search(dueAt: number): void {
    for (const user of this.#free) {
      this.#free.delete(user);
      if (user.state !== 'idle') continue; // Has lost the connection, and will come again.
      user.search(dueAt);
      return;
    }
    this.#overdue.push(dueAt);
  }
}
