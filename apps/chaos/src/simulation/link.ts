import type { Random } from '../random.ts';
import type { Host, Scheduler } from './scheduler.ts';

/** Mostly a moment, and now and then a while. */
const usualMs = 2;
const rareMs = 40;
const rareShare = 0.03;

/** One direction of a connection: what goes in comes out later and in the same order, or not at all. */
export class Link {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #to: Host | undefined;
  #arrivesAt = 0;
  #waiting: (() => void)[] = [];
  #isHeld = false;
  #isCut = false;
  /** What everything on it takes besides, in ms. */
  slowMs = 0;

  constructor(scheduler: Scheduler, random: Random, to?: Host) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#to = to;
  }

  send(what: string, arrive: () => void): void {
    if (this.#isCut) return;
    const random = this.#random;
    const ms =
      (random.next() < rareShare ? rareMs : usualMs) * random.next() + 0.1 + this.slowMs * (0.5 + random.next());
    this.#arrivesAt = Math.max(this.#arrivesAt, this.#scheduler.now + ms);
    const come = () => {
      if (this.#isCut) return;
      if (this.#isHeld) this.#waiting.push(come);
      else arrive();
    };
    this.#scheduler.after(this.#arrivesAt - this.#scheduler.now, what, come, this.#to);
  }

  /** Nothing comes out until {@link release}. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const come of this.#waiting.splice(0)) this.#scheduler.after(0, 'released', come, this.#to);
  }

  /** What is on it is lost, and whatever follows. */
  cut(): void {
    this.#isCut = true;
    this.#waiting = [];
  }
}
