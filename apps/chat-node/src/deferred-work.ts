/** What can wait for a turn, and how urgent it is: the first ones are of those who are in a chat. */
const ranks = ['skip', 'return', 'join', 'search'] as const;
export type DeferredRank = (typeof ranks)[number];

/** So many go on in one turn of the event loop: one or two ms of work, most of which comes after they were told to. */
const inOneTurn = 16;
/** And so many of each rank all the same, if those before it are more than enough: nobody waits for ever. */
const atLeast = 2;

interface Task {
  at: number;
  run: () => void;
}

/**
 * Does what can wait, a little in each turn of the event loop: whatever comes meanwhile has its turn in between. A task goes
 * before all of lower rank, and after those of its own that came earlier.
 */
export class DeferredWork {
  readonly #waiting: Record<DeferredRank, Task[]> = { skip: [], return: [], join: [], search: [] };
  #isRunning = false;

  /** For how long those have waited whose turn is next, in ms. */
  waitedMs(rank: DeferredRank): number {
    const [next] = this.#waiting[rank];
    return next ? performance.now() - next.at : 0;
  }

  /** @param run must not throw */
  add(rank: DeferredRank, run: () => void): void {
    this.#waiting[rank].push({ at: performance.now(), run });
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    const some: Task[] = [];
    for (const rank of ranks) some.push(...this.#waiting[rank].splice(0, Math.max(atLeast, inOneTurn - some.length)));
    for (const { run } of some) run();
    this.#isRunning = ranks.some(rank => this.#waiting[rank].length > 0);
    if (this.#isRunning) setImmediate(() => this.#next());
  }
}
