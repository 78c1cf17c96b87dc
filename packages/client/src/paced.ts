import type { World } from './world.ts';

/** Runs a task when asked to, but not twice within `everyMs`: what is asked for meanwhile is one run at the end of that time. */
export class Paced {
  readonly #world: World;
  readonly #everyMs: number;
  readonly #task: () => void;
  #timer: unknown;
  #asked = false;

  constructor(world: World, everyMs: number, task: () => void) {
    this.#world = world;
    this.#everyMs = everyMs;
    this.#task = task;
  }

  run(): void {
    if (this.#timer !== undefined) {
      this.#asked = true;
      return;
    }
    this.#asked = false;
    this.#timer = this.#world.setTimeout(() => {
      this.#timer = undefined;
      if (this.#asked) this.run();
    }, this.#everyMs);
    this.#task();
  }

  /** Forgets what was asked for, and that anything ever ran. */
  reset(): void {
    this.#world.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked = false;
  }
}
