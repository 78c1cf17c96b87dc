export { type Chance, systemChance } from './chance.ts';
export { carryOut } from './chat/carry-out.ts';
export { ChatError } from './chat/chat-error.ts';
export { ChatService, type ChatServiceOptions } from './chat/chat-service.ts';
export type { Clients } from './chat/clients.ts';
export type { Meter } from './chat/meter.ts';
export type { NodeBus, NodeListener, NodeMessage, RoutedMessage } from './chat/node-bus.ts';
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
} from './chat/pair-store.ts';
export { parseResumeToken, type ResumeToken } from './chat/resume-token.ts';
export type { PresentUserChange, SessionSide, UserChange, UserState } from './chat/user-change.ts';
export { type Clock, systemClock } from './clock.ts';
export { Lease, type LeaseOptions } from './lease/lease.ts';
export { LeaseLost } from './lease/lease-lost.ts';
export type { Log } from './log.ts';
export { MemoryChannels, MemoryNodeBus } from './memory/memory-node-bus.ts';
export { MemoryOutbox } from './memory/memory-outbox.ts';
export { MemoryPairStore } from './memory/memory-pair-store.ts';
export { MemoryStatusBoard } from './memory/memory-status-board.ts';
export type { Backlog, Outbox, OutboxEntry } from './recording/outbox.ts';
export type { PairRegistry } from './recording/pair-registry.ts';
export { RefusedFactsError } from './recording/refused-facts-error.ts';
export type { SessionEnded, SessionFact, SessionStarted } from './recording/session-fact.ts';
export type { OpenSessionsQuery, SessionLog } from './recording/session-log.ts';
export type {
  LostNode,
  NodeOnBoard,
  NodeStatus,
  PoolStatus,
  RecorderStatus,
  StatusBoard,
} from './status/status-board.ts';
export { isLost, lostLastsMs } from './status/status-board.ts';
