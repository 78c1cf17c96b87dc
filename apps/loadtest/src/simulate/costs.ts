/** What Redis spends on one of a thing: CPU time of its main thread, and bytes to and from it. */
export interface RedisCost {
  us: number;
  bytes: number;
}

/**
 * What one of each thing costs, as measured: docs/scaling.md says where and how. These are figures of one machine; with
 * those of another, the calculation is one for that.
 */
export const costs = {
  redis: {
    search: { us: 28, bytes: 900 },
    /** Ends a chat and searches, in one step. */
    skip: { us: 42, bytes: 1310 },
    leave: { us: 28, bytes: 830 },
    suspend: { us: 31, bytes: 1090 },
    resume: { us: 31, bytes: 1190 },
    /** Counting a new connection, or a resume, against its limit. */
    limit: { us: 15, bytes: 400 },
    /** Reading and removing a fact for the recorder. */
    fact: { us: 2.2, bytes: 290 },
    /** A message to another node, and what comes on top each time that a node sends what it has. */
    message: { us: 0.8, bytes: 640 },
    turn: { us: 15, bytes: 0 },
    /** A node that does nothing, in each second: heartbeats and pings. */
    idleNode: { us: 260, bytes: 0 },
    userBytes: 300,
  } satisfies Record<string, RedisCost | number>,
  node: {
    /** The sender's node and the partner's together. */
    messageUs: 75,
    searchUs: 150,
    connectUs: 500,
    userBytes: 25_000,
    /** Of a node without users. */
    baseBytes: 90e6,
  },
  recorder: { factsPerSecond: 30_000 },
  postgres: { rowBytes: 229 },
} as const;

/** How much of a core, and of the recorder's speed, is planned with: the rest is for peaks, take-overs and restarts. */
export const plannedShare = 0.7;
/** In each turn of its event loop a node sends together what it has for Redis. It turns this often in a second. */
export const turnsPerSecond = 1000;
