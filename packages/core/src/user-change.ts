import type { EndReason } from '@passerby/protocol';

/** One user's side of a session. */
export interface SessionSide {
  sessionId: string;
  partnerId: string;
  partnerNode: string;
  /** In ms since the epoch, by the store's clock. */
  startedAt: number;
  /** The two sides of a session have different letters; `a` had waited for `b`. */
  side: 'a' | 'b';
}

/** What the registry says of a user. */
export type UserState = { state: 'idle' } | { state: 'waiting' } | { state: 'paired'; session: SessionSide };

/**
 * A user's state after a change. `revision` counts the changes of the user's registry entry: of two changes, the one with
 * the greater revision is the newer one, however they travelled.
 */
export type UserChange = UserState & {
  userId: string;
  revision: number;
  /** The session that this change ended, when the user's partner or the reaper ended it. */
  ended?: { sessionId: string; reason: EndReason };
};
