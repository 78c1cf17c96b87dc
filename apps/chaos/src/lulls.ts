import type { Random } from './random.ts';
import { reality, type Setting } from './setting.ts';

const everyMs: [number, number] = [8000, 16_000];
const lastMs: [number, number] = [3000, 6000];

/**
 * Times in which few look for a partner, so that they wait for each other for a while. At other times they are paired at once.
 */
export class Lulls {
  readonly #random: Random;
  readonly #setting: Setting;
  #timer: unknown;
  #isNow = false;

  constructor(random: Random, setting: Setting = reality) {
    this.#setting = setting;
    this.#random = random;
  }

  get isNow(): boolean {
    return this.#isNow;
  }

  start(): void {
    this.#timer = this.#setting.world.setTimeout(
      () => {
        this.#isNow = !this.#isNow;
        this.start();
      },
      this.#random.whole(...(this.#isNow ? lastMs : everyMs)),
    );
  }

  stop(): void {
    this.#setting.world.clearTimeout(this.#timer);
    this.#isNow = false;
  }
}
