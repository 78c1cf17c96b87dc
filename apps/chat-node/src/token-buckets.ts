export interface BucketSize {
  /** How much a key may do at once: Infinity for no limit. */
  points: number;
  /** An empty bucket is full again after this. */
  seconds: number;
}

/**
 * A token bucket for each key: all its points may be spent at once, and come back evenly, so that whoever asks for more all the
 * time gets a steady trickle and no burst. No timers and no promises, as it is asked for each event of each client. Only keys
 * that did something while a bucket fills up twice are kept. A bucket is one number, the time at which it is full again: see the
 * generic cell rate algorithm in ITU-T I.371, appendix I.
 */
export class TokenBuckets {
  readonly #pointMs: number;
  readonly #fillMs: number;
  /** When each bucket is full again, on the clock of `performance.now()`. */
  #fullAt = new Map<string, number>();
  /** Those that were not used since the last change: who is here alone at the next one is full. */
  #older = new Map<string, number>();
  #nextChangeAt = 0;

  constructor({ points, seconds }: BucketSize) {
    this.#fillMs = seconds * 1000;
    this.#pointMs = this.#fillMs / points;
  }

  /**
   * Takes a point, or as many as the weight says. What is refused takes none.
   * @param now on the clock of `performance.now()`
   * @returns 0 if the key had them, else in how many ms it will, whole, at least 1
   */
  take(key: string, weight = 1, now = performance.now()): number {
    if (now >= this.#nextChangeAt) this.#change(now);
    const fullAt = Math.max(now, this.#fullAtOf(key)) + weight * this.#pointMs;
    const waitMs = fullAt - now - this.#fillMs;
    if (waitMs > 0) return Math.ceil(waitMs);
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  /** In how many ms the key will have a point, without taking it; 0 if it has one. */
  waitMs(key: string): number {
    return Math.ceil(Math.max(0, this.#fullAtOf(key) - performance.now() + this.#pointMs - this.#fillMs));
  }

  /** Whether more than this share of the key's points is gone, from 0 to 1. */
  usedMoreThan(key: string, share: number): boolean {
    return this.#fullAtOf(key) - performance.now() > share * this.#fillMs;
  }

  #fullAtOf(key: string): number {
    return this.#fullAt.get(key) ?? this.#older.get(key) ?? 0;
  }

  /** Forgets, all at once, who did nothing since the last change, which is at least as long ago as a bucket needs to fill up. */
  #change(now: number): void {
    this.#older = now < this.#nextChangeAt + this.#fillMs ? this.#fullAt : new Map();
    this.#fullAt = new Map();
    this.#nextChangeAt = now + this.#fillMs;
  }
}
