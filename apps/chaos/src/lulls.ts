import type { Random } from './random.ts';

const everyMs: [number, number] = [8000, 16_000];
const lastMs: [number, number] = [2000, 5000];

/**
 * Times in which nobody leaves a chat. Who looks for a partner is paired at once otherwise; in a lull whoever is left over
 * waits for a while.
 */
export class Lulls {
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;
  #isNow = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get isNow(): boolean {
    return this.#isNow;
  }

  start(): void {
    this.#timer = setTimeout(
      () => {
        this.#isNow = !this.#isNow;
        this.start();
      },
      this.#random.whole(...(this.#isNow ? lastMs : everyMs)),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#isNow = false;
  }
}
