import type { SessionStarted } from './session-fact.ts';

/** What the pair registry of one pool tells the recorder. */
export interface PairRegistry {
  /**
   * For each session, whether one of its users is in it now. Best effort: each answer was true at a moment during the
   * call. A user whose entry cannot be understood counts as being in the session.
   */
  areAlive(sessions: readonly SessionStarted[]): Promise<boolean[]>;

  /**
   * Looks at some users, and lets those expire a minute later, by a node, whom otherwise nobody would ever remove: they live on
   * no node that is known, and are not known to be away. Atomic, idempotent.
   * @param cursor where to go on, '0' to begin
   * @returns where to go on, '0' when all have been looked at
   */
  adoptStrays(cursor: string): Promise<string>;
}
