import { now } from './clock.ts';

/** After so long at a stretch, what has come in meanwhile is looked at. */
const stretchMs = 5;

/**
 * Does something at even intervals, whatever becomes of it: what is late is done as soon as possible and told its own time,
 * so that neither a slow server nor a slow loader makes the load any lighter.
 */
export class Pacer {
  readonly #fire: (dueAt: number) => void;
  #intervalMs = 0;
  #nextAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /** @param fire called with the time, on the clock of `now()`, at which it was to be called */
  constructor(fire: (dueAt: number) => void) {
    this.#fire = fire;
  }

  /** Begins, or goes on in another rhythm. A rate of 0 pauses. */
  set(perSecond: number, from = now()): void {
    this.stop();
    if (perSecond <= 0) return;
    this.#intervalMs = 1000 / perSecond;
    this.#nextAt = from;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#intervalMs = 0;
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#run(), Math.max(1, this.#nextAt - now()));
  }

  #run(): void {
    const until = now();
    while (this.#intervalMs > 0 && this.#nextAt <= until) {
      const dueAt = this.#nextAt;
      this.#nextAt += this.#intervalMs;
      this.#fire(dueAt);
      if (now() - until > stretchMs) break;
    }
    if (this.#intervalMs === 0) return;
    if (this.#nextAt <= now()) this.#immediate = setImmediate(() => this.#run());
    else this.#wait();
  }
}
