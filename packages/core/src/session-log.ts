import type { SessionFact } from './session-fact.ts';

/** The lasting record of who chatted with whom and when. */
export interface SessionLog {
  /**
   * Writes a batch in one transaction. Idempotent, and in any order: a session's row is the same whether its facts come
   * once or twice, and whether `started` comes before or after `ended`. Returns only after the commit; rejects if
   * nothing was written: with a {@link RefusedFactsError} when the data itself is refused, so that the same batch will
   * never succeed. Any other rejection is worth a retry.
   */
  write(facts: readonly SessionFact[]): Promise<void>;

  /** Rejects when nothing could be written now. */
  check(): Promise<void>;
}
