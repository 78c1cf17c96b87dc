import { now } from '../clock.ts';
import type { LoadUser } from '../load-user.ts';
import { Pacer } from '../pacer.ts';
import type { Load, Scenario } from '../scenario.ts';

/** The shortest stay in a chat, and the longest pause before the next search, as shares of the average stay. */
const shortest = 0.05;
const longestPause = 0.15;
/** Of those who leave a chat, how many go on to the next partner at once. */
const shareOfSkips = 0.75;

/**
 * Users search, talk for a while, and leave, for the next partner or for a pause. When a message is due, one of those who are
 * in a chat writes it.
 */
export class Chat implements Scenario {
  #load: Load | undefined;
  /** Those who were matched; whoever has left since is taken out when drawn. */
  readonly #matched: LoadUser[] = [];
  readonly #isMatched = new Set<LoadUser>();
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
    if (!this.#load) return;
    if (!this.#isMatched.has(user)) this.#matched.push(user);
    this.#isMatched.add(user);
    const stay = Math.max(shortest, -Math.log(1 - Math.random()));
    this.#at(user, stay * this.#load.talkMs, dueAt => {
      if (user.state !== 'paired') return;
      if (Math.random() < shareOfSkips) user.skip(dueAt);
      else user.end();
    });
  }

  #pause(user: LoadUser): void {
    if (!this.#load) return;
    this.#at(user, Math.random() * longestPause * this.#load.talkMs, dueAt => {
      if (user.state === 'idle') user.search(dueAt);
    });
  }

  #at(user: LoadUser, afterMs: number, act: (dueAt: number) => void): void {
    clearTimeout(this.#timers.get(user));
    const dueAt = now() + afterMs;
    this.#timers.set(
      user,
      setTimeout(() => act(dueAt), afterMs),
    );
  }

  #write(dueAt: number): void {
    const matched = this.#matched;
    while (matched.length > 0) {
      const at = Math.floor(Math.random() * matched.length);
      const user = matched[at] as LoadUser;
      if (user.say(dueAt)) return;
      this.#isMatched.delete(user);
      const last = matched.pop() as LoadUser;
      if (last !== user) matched[at] = last;
    }
    this.#load?.tally.error('NOT_PAIRED');
  }
}
