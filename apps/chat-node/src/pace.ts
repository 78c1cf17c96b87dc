/** What is not used is kept for so long, in ms: more at once would be one long turn of the event loop. */
const burstMs = 20;
/** What is kept for `first`. Of what it does not want, and of the rest, `later` has all. */
const shareOfFirst = 0.8;
/** While it is too fast, it slows down once in this time, in ms: what was let go before that has its effect only now. */
const slowDownEveryMs = 60;
const slowDownBy = 0.7;
const speedUpBy = 1.04;
/** There is no bound any more when for so long nobody was refused, in ms. */
const freeAfterMs = 1000;
/** How much the last look counts for what is usual now. */
const weight = 0.3;
/** Bounds of the time after which to come back, in ms. Whoever waits longer would not notice that it is over. */
const leastWaitMs = 500;
const mostWaitMs = 8000;

/** Who goes first. */
type Rank = 'first' | 'later';

/**
 * How fast something is done that can wait. There is no bound until the node is behind. From then on it slows down by a share
 * whenever the node is behind, and speeds up step by step while the node is not, and more is wanted. Whoever is refused gets a
 * time to come back, one after the other at the present pace, so that a crowd comes spread out. Asks no clock: times are the
 * caller's, in ms.
 */
export class Pace {
  readonly #least: number;
  readonly #left: Record<Rank, number> = { first: 1, later: 1 };
  /** When the last one who was refused may come back. */
  readonly #backAt: Record<Rank, number> = { first: 0, later: 0 };
  #perSecond = Number.POSITIVE_INFINITY;
  /** How many a second there were lately. */
  #usual = 0;
  /** How many there were since the last look, and whether anybody wanted to be one. */
  #taken = 0;
  #asked = false;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #lookedAt: number;
  #filledAt: number;
  #slowedAt = Number.NEGATIVE_INFINITY;

  /** @param least it never falls below so many a second, so that it finds out when more is possible again */
  constructor(least: number, now: number) {
    this.#least = least;
    this.#lookedAt = now;
    this.#filledAt = now;
  }

  /** The bound; Infinity when there is none. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** @returns 0 if one more may go, else after how many ms it makes sense to ask again */
  take(rank: Rank, now: number): number {
    this.#asked = true;
    if (this.#perSecond < Number.POSITIVE_INFINITY) {
      this.#fill(now);
      const from = this.#left[rank] >= 1 ? rank : 'later';
      if (this.#left[from] < 1) return this.#refuse(rank, now);
      this.#left[from] -= 1;
    }
    this.#taken += 1;
    return 0;
  }

  /** To be called again and again. @param isBehind whether the node has more to do than it can */
  adapt(isBehind: boolean, now: number): void {
    const tookMs = now - this.#lookedAt;
    if (tookMs <= 0) return;
    this.#usual += ((this.#taken * 1000) / tookMs - this.#usual) * weight;
    this.#lookedAt = now;
    this.#taken = 0;
    const asked = this.#asked;
    this.#asked = false;
    if (isBehind) {
      if (asked && now - this.#slowedAt >= slowDownEveryMs) this.#slowDown(now);
    } else if (now - this.#refusedAt > freeAfterMs) this.#perSecond = Number.POSITIVE_INFINITY;
    else this.#perSecond = this.#perSecond * speedUpBy + 1;
  }

  #slowDown(now: number): void {
    const present = Math.min(this.#perSecond, this.#usual);
    this.#perSecond = Math.max(this.#least, present * slowDownBy);
    this.#slowedAt = now;
    // Somebody may be refused from now on.
    this.#refusedAt = now;
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

  #refuse(rank: Rank, now: number): number {
    this.#refusedAt = now;
    const share = rank === 'first' ? shareOfFirst : 1 - shareOfFirst;
    const backAt = Math.max(now + leastWaitMs, this.#backAt[rank] + 1000 / (this.#perSecond * share));
    const waitMs = backAt - now;
    if (waitMs > mostWaitMs) return Math.round(mostWaitMs * (0.5 + Math.random() / 2));
    this.#backAt[rank] = backAt;
    return Math.round(waitMs * (0.9 + Math.random() / 5));
  }
}
