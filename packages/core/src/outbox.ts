import type { SessionFact } from './session-fact.ts';

/** One fact that waits. An entry that holds none that can be read has a `problem` instead: a sentence that says why. */
export type OutboxEntry = {
  /** Names the entry for {@link Outbox.remove}. */
  id: string;
  /** When the fact became true, in ms since the epoch by the store's clock. */
  at: number;
} & ({ fact: SessionFact; problem?: never } | { fact: undefined; problem: string });

/**
 * The facts about the sessions of one pool that wait for the recorder. The pair store adds them, in the same step as the
 * change of state that they tell of. An entry stays until it is removed: at least once.
 */
export interface Outbox {
  /**
   * The oldest entries, at most `limit`. Removes nothing: the next read gives the same ones until they are removed.
   * Waits up to `waitMs` for a first entry, then answers with none. No entry makes it reject, whatever the entry holds.
   */
  read(limit: number, waitMs: number): Promise<OutboxEntry[]>;

  /** Forgets entries that are recorded. Idempotent. */
  remove(ids: readonly string[]): Promise<void>;

  /** How many entries wait, and the age of the oldest in ms (0 when none waits). */
  backlog(): Promise<{ length: number; oldestAgeMs: number }>;
}
