/**
 * What one of each thing costs, as measured; docs/scaling.md says where and how. CPU in µs, memory and network in bytes.
 * Redis's CPU is its main thread's.
 */
export const costs = {
  redis: {
    searchUs: 25,
    skipUs: 38,
    leaveUs: 27,
    suspendUs: 31,
    resumeUs: 30,
    /** Reading and removing a fact for the recorder. */
    factUs: 2.1,
    /** A publish and its delivery: for each message, and for each time that a node sends what it has. */
    messageUs: 0.8,
    turnUs: 15,
    /** A node that does nothing: heartbeats and pings, in each second. */
    idleNodeUs: 260,
    userBytes: 300,
    /** A fact that waits in the outbox. */
    factBytes: 160,
    /** To and from Redis. */
    messageBytes: 640,
    searchBytes: 1100,
  },
  node: {
    /** Sender's and partner's node together. */
    messageUs: 60,
    searchUs: 150,
    connectUs: 500,
    userBytes: 25_000,
    /** Of a node without users. */
    baseBytes: 90e6,
  },
  recorder: { factUs: 13, factsPerSecond: 30_000 },
  postgres: { rowBytes: 229 },
} as const;

/** How much of a core, and of the recorder's speed, is planned with: the rest is for peaks, take-overs and restarts. */
export const plannedShare = 0.7;
/** In each turn of its event loop a node sends together what it has for Redis. It turns this often in a second. */
export const turnsPerSecond = 1000;
