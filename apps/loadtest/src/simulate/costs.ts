/** What Redis spends on one of a thing: CPU time of its main thread, and bytes to and from it. */
export interface RedisCost {
  us: number;
  bytes: number;
}

/**
 * What one of each thing costs, as measured: docs/scaling.md says where and how. These are figures of one machine; with
 * those of another, the calculation is one for that.
 *
 * They were measured before the scripts were made cheaper, when each search was a call of its own. docs/performance.md has what
 * has changed since. So for matching they are on the safe side; messages cost the same.
 */
export const costs = {
  /** With a million users present. */
  redis: {
    search: { us: 30.5, bytes: 880 },
    /** Ends a chat and searches, in one step. */
    skip: { us: 43.2, bytes: 1290 },
    leave: { us: 28.6, bytes: 810 },
    suspend: { us: 35.3, bytes: 1060 },
    resume: { us: 34.1, bytes: 1170 },
    /** Counting a new connection, or a resume, against its limit. */
    limit: { us: 8.4, bytes: 190 },
    /** Reading and removing a fact for the recorder. */
    fact: { us: 2.2, bytes: 290 },
    /** A message to another node. */
    message: { us: 0.7, bytes: 640 },
    /** What comes on top each time that a node sends what it has. */
    turn: { us: 20, bytes: 0 },
    /** A node that does nothing, in each second: heartbeats and pings. */
    idleNode: { us: 230, bytes: 0 },
    userBytes: 284,
  },
  node: {
    /** The sender's node and the partner's together. */
    messageUs: 75,
    /** A search, with what follows from it: the match, and the end. */
    searchUs: 365,
    connectUs: 320,
    resumeUs: 1300,
    /** A user who does nothing, in each second. */
    idleUserUs: 4.9,
    userBytes: 22_400,
    /** Of a node without users. */
    baseBytes: 90e6,
  },
  recorder: { factsPerSecond: 30_000 },
  postgres: { rowBytes: 476 },
} as const;

/** How much of a core, and of the recorder's speed, is planned with: the rest is for peaks, take-overs and restarts. */
export const plannedShare = 0.7;
/** In each turn of its event loop a busy node sends together what it has for Redis. It turns this often in a second. */
export const turnsPerSecond = 500;
