import { ChatError } from '@passerby/core';
import { type DeferredRank, DeferredWork } from './deferred-work.ts';
import type { Load, LoadWatch } from './load-watch.ts';
import { Pace } from './pace.ts';

/** What can be put off: a new connection, one that says that it comes back, a search of an idle user, and one's next partner. */
export type Deferrable = 'connection' | 'return' | 'search' | 'skip';

export interface OverloadOptions {
  /** Is told what was put off. */
  putOff: (what: Deferrable | 'drop') => void;
  /** What it judges by. It is asked to look closely while something is put off. */
  loadWatch: Pick<LoadWatch, 'start' | 'watchClosely'>;
}

/** The event loop may be late by this much, in ms: whoever is in a chat hardly notices it. */
const mayBeLateMs = 10;
/** Shares of memory: from here on no connections are taken, and from there on some are ended. */
const memoryFull = 0.85;
const memoryShed = 0.9;
/** When to come back to a node without memory, about, in ms. */
const fullWaitMs = 5000;
/** So long a search may wait for its turn, in ms. */
const mostQueuedMs = 2000;
/** The node says that it is overloaded when something has been put off for this long, or was late by so much, in ms. */
const sayAfterMs = 1000;
const saidLateMs = 200;
/** And says so until this long after the last time, in ms. */
const calmMs = 3000;
/** Nothing put off for longer than this interrupts it, in ms. */
const pauseMs = 1000;

/**
 * Decides what a node does now that it could do later: it serves those who are in a chat, and puts off those who are not as far
 * as it must. Times are on the clock of `performance.now()`.
 */
export class Overload {
  readonly #options: OverloadOptions;
  readonly #work = new DeferredWork();
  readonly #connections: Pace;
  readonly #now: () => number;
  #load: Load = { delayMs: 0, memory: 0, collections: 0 };
  #since = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #saysSo = false;
  #shedAt = 0;

  constructor(options: OverloadOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#connections = new Pace(10, now());
  }

  /** Whether new users should rather go elsewhere: not for a moment's burden, and not until some time after it. */
  get overloaded(): boolean {
    if (this.#saysSo && this.#now() - this.#lastAt > calmMs) this.#saysSo = false;
    return this.#saysSo;
  }

  /** How many connections a second it takes at the most, at present; Infinity while there is no bound. */
  get connectionsPerSecond(): number {
    return this.#connections.perSecond;
  }

  /** The share of its memory that is in use, from 0 to 1. */
  get memory(): number {
    return this.#load.memory;
  }

  /** Whether there is more to do than it can. */
  get isBehind(): boolean {
    return this.#load.delayMs > mayBeLateMs;
  }

  /** Asks for leave to take a new connection. @returns 0, or after how many ms it makes sense to ask again */
  ask(what: 'connection' | 'return'): number {
    const now = this.#now();
    const isFull = this.#load.memory > memoryFull;
    const waitMs = isFull ? jittered(fullWaitMs) : this.#connections.take(what === 'return' ? 'first' : 'later', now);
    if (waitMs > 0) this.#putOff(what, now);
    return waitMs;
  }

  /**
   * Waits for its turn: little of what can wait is done in one turn of the event loop. Those who are in a chat go first, whoever
   * has just come goes next, and whoever looks for a partner waits anyway. Rejects a search or skip with `BUSY` when others have
   * waited for too long already.
   */
  turn(what: DeferredRank): Promise<void> {
    const waitedMs = this.#work.waitedMs(what);
    if ((what === 'search' || what === 'skip') && waitedMs > mostQueuedMs) {
      this.#putOff(what, this.#now());
      return Promise.reject(new ChatError('BUSY', { retryAfterMs: jittered(waitedMs) }));
    }
    return new Promise(resolve => this.#work.add(what, resolve));
  }

  /**
   * Begins to judge by the load.
   * @param shed ends connections, of users in chats last, as memory is nearly full. It is told how full, from 0 to 1
   */
  start(shed: (share: number) => void): void {
    this.#options.loadWatch.start(load => this.#judge(load, shed));
  }

  #judge(load: Load, shed: (share: number) => void): void {
    const now = this.#now();
    this.#load = { ...load };
    this.#connections.adapt(this.isBehind, now);
    if (load.delayMs > saidLateMs || load.memory > memoryFull) this.#burdened(now);
    // Once for each collection: only the next one tells what it was good for.
    if (load.memory > memoryShed && load.collections !== this.#shedAt) {
      this.#shedAt = load.collections;
      shed(load.memory);
    }
  }

  /** A connection was closed unread, as too many came. */
  dropped(): void {
    this.#putOff('drop', this.#now());
  }

  #putOff(what: Deferrable | 'drop', now: number): void {
    this.#burdened(now);
    this.#options.loadWatch.watchClosely();
    this.#options.putOff(what);
  }

  #burdened(now: number): void {
    if (now - this.#lastAt > pauseMs) this.#since = now;
    this.#lastAt = now;
    this.#saysSo ||= now - this.#since > sayAfterMs;
  }
}

/** A crowd that is told to come back is told different times. */
function jittered(ms: number): number {
  return Math.round(ms * (0.5 + Math.random()));
}
