import { now } from '../clock.ts';
import type { LoadUser } from '../load-user.ts';
import { Pacer } from '../pacer.ts';
import type { Load, Scenario } from '../scenario.ts';

/** How long a user stays in a chat, in ms, if the partner does: on average, and at least. */
const talkMs = { mean: 20_000, least: 1000 };
/** How long a user who is not in a chat waits before the next search, at most. */
const pauseMs = 3000;
/** Of those who leave a chat, how many go on to the next partner at once. */
const shareOfSkips = 0.75;

/**
 * Users search, talk for a while, and leave, for the next partner or for a pause. When a message is due, one of those who are
 * in a chat writes it.
 */
export class Chat implements Scenario {
  #load: Load | undefined;
  readonly #paired: LoadUser[] = [];
  readonly #timers = new Map<LoadUser, NodeJS.Timeout>();
  readonly #pacer = new Pacer(dueAt => this.#write(dueAt));

  begin(load: Load): void {
    this.#load = load;
    for (const user of load.users) if (user.state === 'idle') this.#pause(user);
    this.#pacer.set(load.perSecond, load.at);
  }

  setRate(perSecond: number): void {
    this.#pacer.set(perSecond);
  }

  stop(): void {
    this.#load = undefined;
    this.#pacer.stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  arrived(user: LoadUser): void {
    this.#pause(user);
  }

  parted(user: LoadUser): void {
    this.#pause(user);
  }

  matched(user: LoadUser): void {
    this.#paired.push(user);
    const ms = Math.max(talkMs.least, -Math.log(1 - Math.random()) * talkMs.mean);
    this.#at(user, ms, dueAt => {
      if (user.state !== 'paired') return;
      if (Math.random() < shareOfSkips) user.skip(dueAt);
      else user.end();
    });
  }

  #pause(user: LoadUser): void {
    this.#at(user, Math.random() * pauseMs, dueAt => {
      if (user.state === 'idle') user.search(dueAt);
    });
  }

  #at(user: LoadUser, afterMs: number, act: (dueAt: number) => void): void {
    if (!this.#load) return;
    clearTimeout(this.#timers.get(user));
    const dueAt = now() + afterMs;
    this.#timers.set(
      user,
      setTimeout(() => act(dueAt), afterMs),
    );
  }

  #write(dueAt: number): void {
    // Those who have left their chat are taken out when they are drawn.
    while (this.#paired.length > 0) {
      const at = Math.floor(Math.random() * this.#paired.length);
      if (this.#paired[at]?.say(dueAt)) return;
      const last = this.#paired.pop();
      if (last && at < this.#paired.length) this.#paired[at] = last;
    }
  }
}
