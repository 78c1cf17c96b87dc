import { now } from '../clock.ts';
import type { LoadUser } from '../load-user.ts';
import type { Load, Scenario } from '../scenario.ts';

const rounds = 2;
/** When in a round all who are paired write a message: by then all should be back. */
const writeAfter = 0.75;

/** All users are cut off and come back in one moment; later all write a message. And once more. */
export class Storm implements Scenario {
  #timers: NodeJS.Timeout[] = [];

  arrived(user: LoadUser): void {
    user.search(now());
  }

  parted(user: LoadUser): void {
    user.search(now());
  }

  begin({ users, at, durationMs, tally }: Load): void {
    const roundMs = durationMs / rounds;
    for (let round = 0; round < rounds; round++) {
      this.#at(at + round * roundMs, dueAt => {
        for (const user of users) user.cut(dueAt);
      });
      this.#at(at + (round + writeAfter) * roundMs, dueAt => {
        for (const user of users) if (!user.say(dueAt)) tally.error('NOT_PAIRED');
      });
    }
  }

  setRate(): void {}

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #at(dueAt: number, act: (dueAt: number) => void): void {
    this.#timers.push(setTimeout(() => act(dueAt), dueAt - now()));
  }
}
