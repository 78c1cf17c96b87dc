import type { EndReason } from '@passerby/protocol';

/** A session began. `startedAt` is in ms since the epoch, by the store's clock. */
export interface SessionStarted {
  kind: 'started';
  sessionId: string;
  userA: string;
  userB: string;
  startedAt: number;
}

/** A session is over. Carries all that its row needs, so that facts may be recorded in any order. */
export interface SessionEnded {
  kind: 'ended';
  sessionId: string;
  userA: string;
  userB: string;
  startedAt: number;
  endedAt: number;
  endReason: EndReason;
  /** Messages of both sides, counted by the node of the side that ended the session; null when that node is gone. */
  messages: number | null;
}

export type SessionFact = SessionStarted | SessionEnded;
