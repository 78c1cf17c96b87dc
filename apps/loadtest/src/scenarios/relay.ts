import { now } from '../clock.ts';
import type { LoadUser } from '../load-user.ts';
import { Pacer } from '../pacer.ts';
import type { Load, Scenario } from '../scenario.ts';

/** Users are paired once; then they write in turn, at even intervals. */
export class Relay implements Scenario {
  #load: Load | undefined;
  #turn = 0;
  readonly #pacer = new Pacer(dueAt => this.#write(dueAt));

  arrived(user: LoadUser): void {
    user.search(now());
  }

  parted(user: LoadUser): void {
    user.search(now());
  }

  begin(load: Load): void {
    this.#load = load;
    this.#pacer.set(load.perSecond, load.at);
  }

  setRate(perSecond: number): void {
    this.#pacer.set(perSecond);
  }

  stop(): void {
    this.#pacer.stop();
  }

  #write(dueAt: number): void {
    if (!this.#load) return;
    const { users, tally } = this.#load;
    const user = users[this.#turn];
    this.#turn = (this.#turn + 1) % users.length;
    if (!user?.say(dueAt)) tally.error('NOT_PAIRED');
  }
}
