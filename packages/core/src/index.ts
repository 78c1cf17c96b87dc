export type { Outbox, OutboxEntry } from './outbox.ts';
export type { EndReason, SessionEnded, SessionFact, SessionStarted } from './session-fact.ts';
export type { SessionLog } from './session-log.ts';
