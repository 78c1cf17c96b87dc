import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a node has to bear. */
export interface Load {
  /**
   * By how much the event loop is late because of what this process does, in ms, smoothed. What it waits for a machine that does
   * other things is not in it: with less to do it would wait as long.
   */
  delayMs: number;
  /** The share of its memory that was in use after the last full garbage collection, from 0 to 1. */
  memory: number;
  /** How many full garbage collections there have been: `memory` is news when this has changed. */
  collections: number;
}

/** How often it is looked at, in ms: while that matters, and else. An idle node is not to be woken up for nothing. */
const closelyMs = 20;
const calmlyMs = 200;
/** It is looked at closely for so long after somebody asked for it, in ms. */
const staysCloseMs = 1000;
/** How much the newest look counts. */
const weight = 0.3;
/** What garbage collection kept is not all that there is: the share of a container's memory that may be filled with it. */
const usableShare = 0.9;

/** From this share of memory on it is looked at again after this time, in ms, though that stops the process for a moment. */
const askedFrom = 0.8;
const askAgainMs = 5000;

/** A full garbage collection. */
const collect = (() => {
  let gc: (() => void) | undefined;
  return () => {
    setFlagsFromString('--expose-gc');
    gc ??= runInNewContext('gc') as () => void;
    gc();
  };
})();

/** Watches the event loop and the memory of this process. */
export class LoadWatch {
  readonly #heapBytes: number;
  #tell: (load: Load) => void = () => undefined;
  readonly #collections = new PerformanceObserver(list => this.#collected(list.getEntries() as { detail?: unknown }[]));
  readonly load: Load = { delayMs: 0, memory: 0, collections: 0 };
  #lookedAt = 0;
  #cpu = process.cpuUsage();
  #collectedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #closelyFrom = Number.NEGATIVE_INFINITY;

  /** @param heapBytes how much of the heap can hold what lasts */
  constructor(heapBytes: number) {
    this.#heapBytes = heapBytes;
  }

  /** @param tell is told of the load, again and again */
  start(tell: (load: Load) => void): void {
    this.#tell = tell;
    this.#collections.observe({ entryTypes: ['gc'] });
    this.#next();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#collections.disconnect();
  }

  /** Something is going on that depends on the load: it is looked at closely for a while. */
  watchClosely(): void {
    const wasCalm = this.#isCalm;
    this.#closelyFrom = performance.now();
    if (wasCalm) this.#next();
  }

  get #isCalm(): boolean {
    return performance.now() - this.#closelyFrom > staysCloseMs;
  }

  #next(): void {
    const ms = this.#isCalm ? calmlyMs : closelyMs;
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#now(), ms);
    this.#timer.unref();
  }

  #now(): void {
    const now = performance.now();
    const cpu = process.cpuUsage();
    const cpuMs = (cpu.user + cpu.system - this.#cpu.user - this.#cpu.system) / 1000;
    const lateMs = Math.max(0, now - this.#dueAt - 1) * Math.min(1, cpuMs / (now - this.#lookedAt));
    this.#cpu = cpu;
    this.#lookedAt = now;
    this.load.delayMs += (lateMs - this.load.delayMs) * weight;
    // A node that takes nobody any more makes little garbage: nothing else would find out that there is room again.
    if (this.load.memory > askedFrom && now - this.#collectedAt > askAgainMs) collect();
    this.#tell(this.load);
    this.#next();
  }

  #collected(entries: readonly { detail?: unknown }[]): void {
    const kinds = entries.map(({ detail }) => (detail as { kind?: number } | undefined)?.kind);
    if (!kinds.includes(constants.NODE_PERFORMANCE_GC_MAJOR)) return;
    const { used_heap_size: used, external_memory: external } = getHeapStatistics();
    // Without a limit of the container's this is the memory of the machine, or a number without a meaning that is greater.
    const usable = process.constrainedMemory() * usableShare;
    this.load.memory = Math.max(used / this.#heapBytes, usable > 0 ? (used + external) / usable : 0);
    this.load.collections += 1;
    this.#collectedAt = performance.now();
  }
}
