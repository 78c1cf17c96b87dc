/**
 * Counts what each key does, in windows of time that all keys share: when one ends, the next event begins the next one,
 * and everything is forgotten at once. No timers and no promises, as it is asked for each event of each client; and no more
 * keys than did something in one window. Over an end, a key may have twice its events in the length of one window.
 */
export class WindowCounter {
  readonly #points: number;
  readonly #windowMs: number;
  readonly #counts = new Map<string, number>();
  /** On the clock of `performance.now()`. */
  #endsAt = 0;

  /** @param limit points: Infinity for no limit */
  constructor({ points, seconds }: { points: number; seconds: number }) {
    this.#points = points;
    this.#windowMs = seconds * 1000;
  }

  /**
   * Counts one event, or one that weighs as much as several. What is refused is not counted.
   * @param now on the clock of `performance.now()`
   * @returns 0 if the key may have it, else for how many ms it may have none
   */
  count(key: string, weight = 1, now = performance.now()): number {
    if (now >= this.#endsAt) {
      this.#counts.clear();
      this.#endsAt = now + this.#windowMs;
    }
    const count = (this.#counts.get(key) ?? 0) + weight;
    if (count > this.#points) return Math.ceil(this.#endsAt - now);
    this.#counts.set(key, count);
    return 0;
  }

  /** For how many ms the key may have nothing more, without counting anything; 0 if it may. */
  blockedMs(key: string): number {
    const now = performance.now();
    if (now >= this.#endsAt || (this.#counts.get(key) ?? 0) < this.#points) return 0;
    return Math.ceil(this.#endsAt - now);
  }

  /** Whether the key has had more than this share of its events in this window, from 0 to 1. */
  usedMoreThan(key: string, share: number): boolean {
    if (performance.now() >= this.#endsAt) return false;
    return (this.#counts.get(key) ?? 0) > this.#points * share;
  }
}
