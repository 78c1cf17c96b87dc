import type { SessionFact } from './session-fact.ts';

/** One fact that waits. An entry that holds none that can be read has a `problem` instead: a sentence that says why. */
export type OutboxEntry = {
  /** Names the entry for {@link Outbox.remove} and {@link Outbox.setAside}. */
  id: string;
  /** When the entry was made, in ms since the epoch by the store's clock. */
  at: number;
} & ({ fact: SessionFact; problem?: never } | { fact: undefined; problem: string });

export interface Backlog {
  /** How many entries wait. */
  length: number;
  /** The age of the oldest that waits, in ms by the store's clock; 0 when none waits. */
  oldestAgeMs: number;
  /** How many entries have been set aside. They are not among those that wait. */
  setAside: number;
}

/**
 * The facts about the sessions of one pool that wait for the recorder. The pair store adds them, in the same step as the
 * change of state that they tell of. An entry stays until it is removed: at least once.
 */
export interface Outbox {
  /**
   * The oldest entries, at most `limit`; with `after`, of those behind the entry of that id. Removes nothing: the next read
   * gives the same ones until they are removed. Waits up to `waitMs` for a first entry, then answers with none. No entry
   * makes it reject, whatever the entry holds.
   */
  read(limit: number, waitMs: number, after?: string): Promise<OutboxEntry[]>;

  /** Forgets entries that are recorded. Idempotent. */
  remove(ids: readonly string[]): Promise<void>;

  /**
   * Takes an entry that cannot be recorded out of the outbox and keeps it elsewhere, whole, with the reason, for an
   * operator to see. Atomic, and idempotent: an entry that is not in the outbox any more is left alone.
   */
  setAside(id: string, reason: string): Promise<void>;

  /**
   * Puts the entries that were set aside first back into the outbox, at most `limit` (1 to 1000), as new entries. Atomic.
   * @returns how many it put back
   */
  retry(limit: number): Promise<number>;

  backlog(): Promise<Backlog>;
}
