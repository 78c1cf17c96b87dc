import type { SessionFact, SessionStarted } from './session-fact.ts';

/** The lasting record of who chatted with whom and when, in one pool. */
export interface SessionLog {
  /**
   * Writes a batch in one transaction. Idempotent, and in any order: a session's row is the same whether its facts come
   * once or twice, and whether `started` comes before or after `ended`. The first end of a session stays, except that
   * `lost` is only a conclusion, and gives way to an end that somebody saw. Returns only after the commit; rejects if
   * nothing was written: with a {@link RefusedFactsError} when data of the batch is refused although the log takes other
   * data now. Any other rejection is worth a retry, as it is not about the data.
   */
  write(facts: readonly SessionFact[]): Promise<void>;

  /** Rejects when nothing could be written now. */
  check(): Promise<void>;

  /** Sessions that are recorded as begun and not as ended, in the order of their ids. */
  openSessions(query: OpenSessionsQuery): Promise<SessionStarted[]>;
}

export interface OpenSessionsQuery {
  /** Only those that began before this, in ms since the epoch. */
  startedBefore: number;
  /** Only those whose id comes after this one; '' for all. */
  after: string;
  limit: number;
}
