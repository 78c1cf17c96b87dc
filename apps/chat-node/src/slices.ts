/** So many go on in one turn of the event loop: one or two ms of work, most of which comes after they were told to. */
const inOneTurn = 16;
/** And so many of those who come later, if there are more than enough who come first. */
const laterAtLeast = 2;

/** Whose turn comes first. */
export type Rank = 'first' | 'later';

interface Task {
  at: number;
  run: () => void;
}

/** Does what can wait, a little in each turn of the event loop: whatever comes meanwhile has its turn in between. */
export class Slices {
  readonly #queues: Record<Rank, Task[]> = { first: [], later: [] };
  #isRunning = false;

  /** For how long those have waited whose turn is next, in ms. */
  waitedMs(rank: Rank): number {
    const [next] = this.#queues[rank];
    return next ? performance.now() - next.at : 0;
  }

  /** @param run must not throw */
  add(rank: Rank, run: () => void): void {
    this.#queues[rank].push({ at: performance.now(), run });
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    const { first, later } = this.#queues;
    const some = first.splice(0, inOneTurn);
    some.push(...later.splice(0, Math.max(laterAtLeast, inOneTurn - some.length)));
    for (const { run } of some) run();
    this.#isRunning = first.length + later.length > 0;
    if (this.#isRunning) setImmediate(() => this.#next());
  }
}
