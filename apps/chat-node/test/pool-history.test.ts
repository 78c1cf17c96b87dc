import type { NodeOnBoard, NodeStatus } from '@passerby/core';
import { someStatus } from '../../../packages/core/test/status-board-contract.ts';
import { PoolHistory } from '../src/pool-history.ts';

const backlog = { length: 3, oldestAgeMs: 40, setAside: 0 };
const node = (nodeId: string, changes: Partial<NodeStatus> = {}, ageMs = 0): NodeOnBoard => ({
  ...{ nodeId, lapsed: false },
  last: { status: someStatus(changes), ageMs },
});

let history: PoolHistory;

beforeEach(() => {
  history = new PoolHistory();
});

function add(at: number, ...nodes: NodeOnBoard[]): void {
  history.add({ nodes, lost: [], recorder: undefined, waiting: 5, oldestWaitMs: 60 }, backlog, at);
}

describe('the history of a pool', () => {
  it('adds up its nodes', () => {
    add(1000, node('n1'), node('n2', { users: { idle: 10, waiting: 0, paired: 0 }, sessions: 4 }));
    expect(history.since(0)).toEqual([
      {
        ...{ at: 1000, nodes: 2, users: 16, sessions: 5, waiting: 5, oldestWaitMs: 60, waitingFacts: 3, lagMs: 40 },
        ...{ matchesPerSecond: 0, messagesPerSecond: 0, errors: {} },
      },
    ]);
  });

  it('makes rates of what nodes count, by when they said so', () => {
    add(1000, node('n1', { messages: 100, matches: 0 }), node('n2', { messages: 1000, matches: 10 }, 500));
    add(5000, node('n1', { messages: 300, matches: 8 }), node('n2', { messages: 1030, matches: 16 }, 1500));
    expect(history.since(1000)).toMatchObject([{ messagesPerSecond: 60, matchesPerSecond: 4 }]);
  });

  it('keeps the rate of a node that has said nothing new, and takes no node twice', () => {
    add(0, node('n1', { messages: 0 }));
    add(2000, node('n1', { messages: 20 }));
    add(4000, node('n1', { messages: 20 }, 2000));
    add(6000, node('n1', { messages: 60 }));
    expect(history.since(0).map(({ messagesPerSecond }) => messagesPerSecond)).toEqual([10, 10, 10]);
  });

  it('begins anew with a new node, and forgets one that is gone or lapsed', () => {
    add(0, node('n1', { messages: 5000 }));
    add(2000, node('n1', { messages: 5020 }), node('n2', { messages: 7 }));
    add(4000, { ...node('n1'), lapsed: true }, node('n2', { messages: 27 }));
    add(6000, node('n2', { messages: 47 }), { nodeId: 'n3', lapsed: false, last: undefined });
    const told = history.since(0).map(({ users, messagesPerSecond }) => [users, messagesPerSecond]);
    expect(told).toEqual([
      [12, 10],
      [6, 10],
      [6, 10],
    ]);
  });

  it('tells the errors of the time between, by code', () => {
    add(0, node('n1', { errors: { UNAVAILABLE: 50 } }), node('n2', { errors: {} }));
    add(2000, node('n1', { errors: { UNAVAILABLE: 51 } }), node('n2', { errors: { NOT_IN_CHAT: 3, UNAVAILABLE: 2 } }));
    add(4000, node('n1', { errors: { UNAVAILABLE: 51 } }), node('n2', { errors: { NOT_IN_CHAT: 3, UNAVAILABLE: 2 } }));
    expect(history.since(0).map(({ errors }) => errors)).toEqual([{ UNAVAILABLE: 3, NOT_IN_CHAT: 3 }, {}]);
  });

  it('takes no samples close to each other, and keeps those of ten minutes', () => {
    for (let at = 0; at <= 20 * 60_000; at += 1000) add(at, node('n1'));
    const samples = history.since(0);
    expect(samples).toHaveLength(300);
    expect(samples.at(-1)?.at).toBe(20 * 60_000);
    expect(history.since(20 * 60_000)).toEqual([]);
  });
});
