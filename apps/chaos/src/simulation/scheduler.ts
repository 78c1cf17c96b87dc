import { setImmediate as microtasksDone } from 'node:timers/promises';

/** Whoever events happen to: a process that may stand still, or be gone. */
export interface Host {
  /** What happens to it meanwhile waits until it wakes. */
  asleep: boolean;
  /** Nothing happens to it any more. */
  dead: boolean;
}

interface Planned {
  at: number;
  order: number;
  host: Host | undefined;
  what: string;
  task: (() => void) | undefined;
}

/**
 * The one clock and the one order of a simulated world: each thing that happens is an event here, and the next one begins when
 * all that the last one set off has come to rest. So one seed gives one run, event for event.
 */
export class Scheduler {
  #now = 0;
  #order = 0;
  readonly #heap: Planned[] = [];
  readonly #held = new Map<Host, Planned[]>();
  #hashes: [number, number] = [0x811c9dc5, 0x01000193];
  /** How many events have happened. */
  count = 0;
  /** What has happened, if it is to be told: for whoever compares two runs. */
  readonly log: string[] | undefined;

  constructor(options: { log?: boolean } = {}) {
    this.log = options.log ? [] : undefined;
  }

  /** In ms since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Names all that has happened so far, in its order. */
  get hash(): string {
    return this.#hashes.map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** Lets something happen to a host after some ms. Of two at the same moment, what was planned first comes first. */
  after(ms: number, what: string, task: () => void, host?: Host): Planned {
    const planned = { at: this.#now + Math.max(0, ms), order: this.#order++, host, what, task };
    this.#push(planned);
    return planned;
  }

  cancel(planned: Planned | undefined): void {
    if (planned) planned.task = undefined;
  }

  /** What happened to a host while it was asleep happens now. */
  wake(host: Host): void {
    host.asleep = false;
    const held = this.#held.get(host) ?? [];
    this.#held.delete(host);
    for (const planned of held) this.#push({ ...planned, at: this.#now, order: this.#order++ }, planned);
  }

  /** Resolves after some ms. */
  delay(ms: number): Promise<void> {
    return new Promise(resolve => this.after(ms, 'delay', resolve));
  }

  /** Lets things happen until `done` is settled. @throws whatever it rejects with, and when nothing is left that could happen */
  async run(done: Promise<unknown>): Promise<void> {
    let over = false;
    done.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    await microtasksDone();
    while (!over) {
      const next = this.#pop();
      if (!next) throw new Error('The simulation has come to rest before its end: something waits for ever.');
      this.#happen(next);
      await microtasksDone();
    }
    await done;
  }

  #happen(planned: Planned): void {
    const { at, host, what, task } = planned;
    if (!task || host?.dead) return;
    if (host?.asleep) {
      this.#held.set(host, [...(this.#held.get(host) ?? []), planned]);
      return;
    }
    this.#now = at;
    this.count++;
    this.#note(what);
    planned.task = undefined;
    task();
  }

  #note(what: string): void {
    const line = `${this.#now.toFixed(3)} ${what}`;
    this.log?.push(line);
    let [one, other] = this.#hashes;
    for (let at = 0; at < line.length; at++) {
      const code = line.charCodeAt(at);
      one = Math.imul(one ^ code, 0x01000193);
      other = Math.imul(other ^ code, 0x85ebca6b) + 0x9e3779b9;
    }
    this.#hashes = [one, other];
  }

  #push(planned: Planned, original?: Planned): void {
    // Whoever holds the first one may still cancel it.
    const entry = original ? Object.assign(original, planned) : planned;
    const heap = this.#heap;
    heap.push(entry);
    for (let at = heap.length - 1; at > 0; ) {
      const up = (at - 1) >> 1;
      if (!isBefore(heap[at] as Planned, heap[up] as Planned)) break;
      [heap[at], heap[up]] = [heap[up] as Planned, heap[at] as Planned];
      at = up;
    }
  }

  #pop(): Planned | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || !last) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (left < heap.length && isBefore(heap[left] as Planned, heap[least] as Planned)) least = left;
      if (right < heap.length && isBefore(heap[right] as Planned, heap[least] as Planned)) least = right;
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least] as Planned, heap[at] as Planned];
      at = least;
    }
  }
}

export type { Planned };

function isBefore(one: Planned, other: Planned): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
