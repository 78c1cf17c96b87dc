/** So long it goes on in one turn of the event loop, in ms. */
const sliceMs = 2;

/** Does what can wait, in order, and a little in each turn of the event loop: whatever comes meanwhile has its turn in between. */
export class Slices {
  readonly #tasks: (() => void)[] = [];

  /** @param task must not throw */
  run(task: () => void): void {
    if (this.#tasks.push(task) === 1) setImmediate(() => this.#next());
  }

  #next(): void {
    const until = performance.now() + sliceMs;
    let done = 0;
    while (done < this.#tasks.length && (done === 0 || performance.now() < until)) this.#tasks[done++]?.();
    this.#tasks.splice(0, done);
    if (this.#tasks.length > 0) setImmediate(() => this.#next());
  }
}
