import type { EndReason } from '@passerby/protocol';

/** One user's side of a session. */
export interface SessionSide {
  sessionId: string;
  partnerId: string;
  /** Left out while the partner is away. */
  partnerNode?: string;
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
export type PresentUserChange = UserState & {
  userId: string;
  revision: number;
  /** The session that this change ended, when the user's partner or the reaper ended it. */
  ended?: { sessionId: string; reason: EndReason };
  /** In the reply to `sync` only: the partner's entry does not say the same. */
  unconfirmed?: true;
};

/** `gone`: the user lives on another node now. `away`: on none, and may resume. */
export interface AbsentUserChange {
  state: 'gone' | 'away';
  userId: string;
  revision: number;
}

export type UserChange = PresentUserChange | AbsentUserChange;

export function isAbsent(change: UserChange): change is AbsentUserChange {
  return change.state === 'gone' || change.state === 'away';
}
