export { type Chance, systemChance } from './chance.ts';
export { ChatError } from './chat-error.ts';
export { ChatService, type ChatServiceOptions } from './chat-service.ts';
export type { Clients } from './clients.ts';
export { type Clock, systemClock } from './clock.ts';
export { Lease, type LeaseOptions } from './lease.ts';
export { LeaseLost } from './lease-lost.ts';
export type { Log } from './log.ts';
export { MemoryChannels, MemoryNodeBus } from './memory-node-bus.ts';
export { MemoryOutbox } from './memory-outbox.ts';
export { MemoryPairStore } from './memory-pair-store.ts';
export { MemoryStatusBoard } from './memory-status-board.ts';
export type { Meter } from './meter.ts';
export type { NodeBus, NodeListener, NodeMessage, RoutedMessage } from './node-bus.ts';
export type { Backlog, Outbox, OutboxEntry } from './outbox.ts';
export type { PairRegistry } from './pair-registry.ts';
export type {
  KnownUser,
  LeaseRenewal,
  LeaveCommand,
  PairStore,
  ResumeCommand,
  Resumed,
  SearchCommand,
  SuspendCommand,
  UserCommand,
} from './pair-store.ts';
export { RefusedFactsError } from './refused-facts-error.ts';
export { parseResumeToken, type ResumeToken } from './resume-token.ts';
export type { SessionEnded, SessionFact, SessionStarted } from './session-fact.ts';
export type { OpenSessionsQuery, SessionLog } from './session-log.ts';
export type { LostNode, NodeOnBoard, NodeStatus, PoolStatus, RecorderStatus, StatusBoard } from './status-board.ts';
export { isLost, lostLastsMs } from './status-board.ts';
export type { PresentUserChange, SessionSide, UserChange, UserState } from './user-change.ts';
