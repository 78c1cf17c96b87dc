/** What `GET /admin/status` answers, as far as this page uses it. Times are in ms since the epoch, by the answering node. */
export interface Report {
  at: number;
  /** The node that answered. */
  nodeId: string;
  nodes: NodeReport[];
  /** Not told by nodes of the version before. */
  lost?: LostReport[];
  recorder?: { status: { version: string; recording: boolean }; ageMs: number };
  waiting: number;
  oldestWaitMs: number;
  outbox: { length: number; oldestAgeMs: number; setAside: number };
  /** Those taken later than the page asked for. */
  samples: Sample[];
}

export interface NodeReport {
  nodeId: string;
  lapsed: boolean;
  last?: { status: NodeStatus; ageMs: number };
}

/** A node that is gone without a goodbye. */
export interface LostReport {
  nodeId: string;
  last: { status: NodeStatus; ageMs: number };
}

export interface NodeStatus {
  version: string;
  startedAt: number;
  users: { idle: number; waiting: number; paired: number };
  sessions: number;
  rssBytes: number;
  eventLoopDelayMs: number;
  draining: boolean;
}

export interface Sample {
  at: number;
  users: number;
  sessions: number;
  waiting: number;
  waitingFacts: number;
  lagMs: number;
  matchesPerSecond: number;
  messagesPerSecond: number;
  errors: { [code: string]: number };
}
