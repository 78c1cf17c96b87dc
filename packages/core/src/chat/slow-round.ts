import type { Clock } from '../clock.ts';

/** Goes round everyone, again and again, at a pace at which each comes within `roundMs`, however many they are. */
export class SlowRound {
  readonly #clock: Clock;
  readonly #roundMs: number;
  #items: string[] = [];
  #at = 0;
  #beganAt: number | undefined;

  constructor(clock: Clock, roundMs: number) {
    this.#clock = clock;
    this.#roundMs = roundMs;
  }

  /** Those whose turn has come by now. Who came since the round began comes in the next one. */
  due(everyone: Iterable<string>): string[] {
    const now = this.#clock.now();
    this.#beganAt ??= now;
    const hasEnded = this.#at === this.#items.length && now - this.#beganAt >= this.#roundMs;
    if (hasEnded || this.#items.length === 0) {
      this.#items = [...everyone];
      this.#at = 0;
      this.#beganAt = now;
    }
    const share = Math.min(1, (now - this.#beganAt) / this.#roundMs);
    return this.#items.slice(this.#at, Math.floor(this.#items.length * share));
  }

  /** The first of those who were due have had their turn. */
  done(count: number): void {
    this.#at += count;
  }

  /** Begins anew. */
  clear(): void {
    this.#items = [];
    this.#at = 0;
    this.#beganAt = undefined;
  }
}
