import { setImmediate as nextTurn } from 'node:timers/promises';

/** What the core knows of time. A simulation has one of its own. */
export interface Clock {
  /** In ms since some moment; never goes back. */
  now(): number;
  /** In ms since the epoch. */
  date(): number;
  /** Runs a task once after `ms`. @returns what {@link clearTimeout} takes */
  setTimeout(task: () => void, ms: number): unknown;
  /** Takes a task back. Nothing happens when it has run, or when there is none. */
  clearTimeout(timer: unknown): void;
  /** Resolves when everything else that is due has had its turn. */
  nextTurn(): Promise<void>;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  setTimeout: (task, ms) => setTimeout(task, ms),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout | undefined),
  nextTurn: () => nextTurn(),
};
