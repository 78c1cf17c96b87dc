import type { SessionStarted } from './session-fact.ts';

/** What the pair registry of one pool tells the recorder. */
export interface PairRegistry {
  /**
   * For each session, whether one of its users is in it now. Best effort: each answer was true at a moment during the
   * call. A user whose entry cannot be understood counts as being in the session.
   */
  areAlive(sessions: readonly SessionStarted[]): Promise<boolean[]>;
}
