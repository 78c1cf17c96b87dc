/** Whom a pace lets go first: `first` has most of it whenever it wants it, `later` the rest, and all that is left over. */
export type Rank = 'first' | 'later';

export interface PaceOptions {
  /** How many a second it begins with. */
  start: number;
  /** It never falls below this, so that it finds out when more is possible again. */
  least: number;
  most: number;
}

/** What is not used is kept for so long, in ms: more at once would be one long turn of the event loop. */
const burstMs = 20;
/** The share of `first`. */
const shareOfFirst = 0.8;
/** While it is too fast, it slows down once in this time, in ms: what was let in before that has its effect only now. */
const slowDownEveryMs = 60;
const slowDownBy = 0.7;
const speedUpBy = 1.04;
/** Bounds of the time after which to come back, in ms. Whoever waits longer would not notice that it is over. */
const leastWaitMs = 500;
const mostWaitMs = 8000;

/**
 * How fast something is taken that can wait, learnt from what it does to the node: it slows down by a share whenever the node
 * is behind, and speeds up step by step while the node is not, and more was wanted. Whoever is refused gets a time to come
 * back, one after the other at the present pace, so that a crowd comes spread out. Asks no clock: times are the caller's, in ms.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #left: Record<Rank, number> = { first: 0, later: 0 };
  /** When the last one who was refused may come back. */
  readonly #backAt: Record<Rank, number> = { first: 0, later: 0 };
  #perSecond: number;
  #filledAt: number;
  #slowedAt = Number.NEGATIVE_INFINITY;
  /** Somebody has asked, or was refused, since it was last adapted. */
  #asked = false;
  #refused = false;

  constructor(options: PaceOptions, now: number) {
    this.#options = options;
    this.#perSecond = options.start;
    this.#filledAt = now - burstMs;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** @returns 0 if one more may go, else after how many ms it makes sense to ask again */
  take(rank: Rank, now: number): number {
    this.#fill(now);
    this.#asked = true;
    const from = this.#left[rank] >= 1 ? rank : 'later';
    if (this.#left[from] >= 1) {
      this.#left[from] -= 1;
      return 0;
    }
    this.#refused = true;
    return this.#waitMs(rank, now);
  }

  /** To be called again and again. @param isBehind whether the node has more to do than it can */
  adapt(isBehind: boolean, now: number): void {
    const { start, least, most } = this.#options;
    if (!isBehind) {
      const isTooSlow = this.#refused || this.#perSecond < start;
      if (isTooSlow) this.#perSecond = Math.min(most, this.#perSecond * speedUpBy + 1);
    } else if (this.#asked) {
      if (now - this.#slowedAt < slowDownEveryMs) return;
      this.#slowedAt = now;
      this.#perSecond = Math.max(least, this.#perSecond * slowDownBy);
    }
    this.#asked = false;
    this.#refused = false;
  }

  #fill(now: number): void {
    const left = this.#left;
    const mostLeft = Math.max(1, (this.#perSecond * burstMs) / 1000);
    const more = (this.#perSecond * Math.max(0, now - this.#filledAt)) / 1000;
    this.#filledAt = now;
    const first = left.first + more * shareOfFirst;
    left.first = Math.min(mostLeft, first);
    left.later = Math.min(mostLeft, left.later + more * (1 - shareOfFirst) + (first - left.first));
  }

  #waitMs(rank: Rank, now: number): number {
    const share = rank === 'first' ? shareOfFirst : 1 - shareOfFirst;
    const backAt = Math.max(now + leastWaitMs, this.#backAt[rank] + 1000 / (this.#perSecond * share));
    const waitMs = backAt - now;
    if (waitMs > mostWaitMs) return Math.round(mostWaitMs * (0.5 + Math.random() / 2));
    this.#backAt[rank] = backAt;
    return Math.round(waitMs * (0.9 + Math.random() / 5));
  }
}
