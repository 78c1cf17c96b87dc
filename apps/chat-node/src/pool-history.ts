import type { Backlog, NodeStatus, PoolStatus } from '@passerby/core';

/** How far back it goes, and how close to each other samples are at the most, in ms. */
const keptMs = 10 * 60_000;
const apartMs = 1800;

/** The pool at one moment. Rates are per second. */
export interface PoolSample {
  /** In ms since the epoch, by this node's clock. */
  at: number;
  nodes: number;
  users: number;
  sessions: number;
  waiting: number;
  oldestWaitMs: number;
  waitingFacts: number;
  lagMs: number;
  matchesPerSecond: number;
  messagesPerSecond: number;
  /** How many errors clients got since the sample before, by code. */
  errors: { [code: string]: number };
}

interface Seen {
  saidAt: number;
  status: NodeStatus;
  matchesPerSecond: number;
  messagesPerSecond: number;
}

/** What was seen of a pool in the last ten minutes. Nodes count since they started; here that becomes rates. */
export class PoolHistory {
  readonly #seen = new Map<string, Seen>();
  #samples: PoolSample[] = [];

  /** @returns the samples taken later than this, oldest first */
  since(at: number): PoolSample[] {
    return this.#samples.filter(sample => sample.at > at);
  }

  /** Takes a sample, unless the last one is too new. */
  add({ nodes, waiting, oldestWaitMs }: PoolStatus, backlog: Backlog, at: number): void {
    const last = this.#samples.at(-1);
    if (last && at - last.at < apartMs) return;
    const sample: PoolSample = {
      ...{ at, nodes: nodes.length, users: 0, sessions: 0, waiting, oldestWaitMs },
      ...{ waitingFacts: backlog.length, lagMs: backlog.oldestAgeMs, matchesPerSecond: 0, messagesPerSecond: 0 },
      errors: {},
    };
    for (const node of nodes) {
      if (!node.last || node.lapsed) continue;
      const { users, sessions } = node.last.status;
      sample.users += users.idle + users.waiting + users.paired;
      sample.sessions += sessions;
      const { matchesPerSecond, messagesPerSecond } = this.#see(node.nodeId, node.last, at, sample.errors);
      sample.matchesPerSecond += matchesPerSecond;
      sample.messagesPerSecond += messagesPerSecond;
    }
    for (const nodeId of this.#seen.keys()) {
      if (!nodes.some(node => node.nodeId === nodeId)) this.#seen.delete(nodeId);
    }
    this.#samples = [...this.#samples.filter(each => at - each.at < keptMs), sample];
  }

  /** The rates of one node between the last two times that it said something. Adds its errors since then. */
  #see(nodeId: string, last: { status: NodeStatus; ageMs: number }, at: number, errors: PoolSample['errors']): Seen {
    const { status, ageMs } = last;
    const saidAt = at - ageMs;
    const before = this.#seen.get(nodeId);
    // The two clocks and the way to Redis are not exact: what was said at nearly the same time is the same.
    if (before && saidAt - before.saidAt < apartMs / 4) return before;
    const seconds = before ? (saidAt - before.saidAt) / 1000 : 1;
    const rate = (count: (of: NodeStatus) => number) => (before ? (count(status) - count(before.status)) / seconds : 0);
    const seen: Seen = {
      ...{ saidAt, status },
      matchesPerSecond: rate(of => of.matches),
      messagesPerSecond: rate(of => of.messages),
    };
    this.#seen.set(nodeId, seen);
    for (const [code, count] of Object.entries(before ? status.errors : {})) {
      const more = count - (before?.status.errors[code] ?? 0);
      if (more > 0) errors[code] = (errors[code] ?? 0) + more;
    }
    return seen;
  }
}
