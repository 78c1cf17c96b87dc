/** Runs a task when asked to, but not twice within `everyMs`: what is asked for meanwhile is one run at the end of that time. */
export class Paced {
  readonly #everyMs: number;
  readonly #task: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = false;

  constructor(everyMs: number, task: () => void) {
    this.#everyMs = everyMs;
    this.#task = task;
  }

  run(): void {
    if (this.#timer !== undefined) {
      this.#asked = true;
      return;
    }
    this.#asked = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#asked) this.run();
    }, this.#everyMs);
    this.#task();
  }

  /** Forgets what was asked for, and that anything ever ran. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked = false;
  }
}
