/** What a node says of itself. What it counts, it counts since it started. */
export interface NodeStatus {
  /** Of the software. */
  version: string;
  /** In ms since the epoch, by the node's clock. */
  startedAt: number;
  users: { idle: number; waiting: number; paired: number };
  /** Those whose side `a` is on the node, so that the sum over all nodes counts each session once. */
  sessions: number;
  matches: number;
  messages: number;
  /** Errors that clients got, by code. */
  errors: { [code: string]: number };
  /** How long users of the node waited who were matched lately, in ms; the newest few, and none who found somebody at once. */
  waitsMs: number[];
  rssBytes: number;
  /** How late the event loop was since the last status, in ms: the 99th percentile. */
  eventLoopDelayMs: number;
  /** It takes no new users, and ends when those that it has are gone. */
  draining: boolean;
}

export interface RecorderStatus {
  version: string;
  /** In ms since the epoch, by the recorder's clock. */
  startedAt: number;
  /** Whether the last round went well. */
  recording: boolean;
}

/** A node that has a lease. */
export interface NodeOnBoard {
  nodeId: string;
  /** The lease has lapsed, or is lost: others take over its users. */
  lapsed: boolean;
  /** What the node said last, and how long ago, in ms. Undefined when it said nothing, or nothing that is understood here. */
  last: { status: NodeStatus; ageMs: number } | undefined;
}

/** A node that is gone without having taken off what it said: it died, or hung until others had taken over its users. */
export interface LostNode {
  nodeId: string;
  /** What it said last, and how long ago, in ms. */
  last: { status: NodeStatus; ageMs: number };
}

/** For so long after its last words a lost node is told, in ms. */
export const lostLastsMs = 10 * 60_000;
/** A node that stops gives up its lease, and takes off what it said after that: in this time, in ms, it is not lost yet. */
const farewellMs = 4000;

/** Whether a node without a lease is to be told as lost. @param ageMs how long ago it said something, in ms */
export function isLost(ageMs: number): boolean {
  return ageMs > farewellMs && ageMs < lostLastsMs;
}

/** What is known of one pool, by the store's clock. */
export interface PoolStatus {
  nodes: NodeOnBoard[];
  /** Of the last ten minutes. */
  lost: LostNode[];
  /** What a recorder said last. Undefined when none has said anything for half a minute. */
  recorder: { status: RecorderStatus; ageMs: number } | undefined;
  /** How many users are in the queue. */
  waiting: number;
  /** How long the first of them has waited, in ms; 0 when the queue is empty. */
  oldestWaitMs: number;
}

/**
 * Where the nodes and the recorder of a pool say how they are, for everyone who asks. Nothing rests on it: what is here may
 * be a few seconds old, and is not written when it cannot be.
 *
 * Methods reject with a {@link ChatError} `UNAVAILABLE` when the store cannot be reached.
 */
export interface StatusBoard {
  /**
   * Says how a node is, in place of what it said before. Says nothing for a node without a lease, so that nothing stays of a
   * node that has said goodbye. The first time, also takes off what nodes without a lease said too long ago to be told as lost.
   */
  postNode(nodeId: string, status: NodeStatus): Promise<void>;

  /** Takes off what the node said, so that it is not lost, and what was said too long ago. Idempotent. */
  removeNode(nodeId: string): Promise<void>;

  /** Says how the recorder is. Of several, the last one counts. */
  postRecorder(status: RecorderStatus): Promise<void>;

  /** Takes off what the recorder said. Idempotent. */
  removeRecorder(): Promise<void>;

  /** What is known now. Best effort: its parts are not of the very same moment. */
  read(): Promise<PoolStatus>;
}
