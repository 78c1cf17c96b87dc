import { findings, stateOf } from '../status/findings.ts';
import { bytes, count, rate, time } from '../status/format.ts';
import { mergeSamples } from '../status/merge-samples.ts';
import type { NodeReport, NodeStatus, Report, Sample } from '../status/report.ts';

function node(nodeId: string, changes: Partial<NodeStatus> = {}, ageMs = 1000): NodeReport {
  const users = { idle: 0, waiting: 0, paired: 0 };
  const status = { version: '1', startedAt: 0, users, sessions: 0, rssBytes: 0, eventLoopDelayMs: 0, draining: false };
  return { nodeId, lapsed: false, last: { status: { ...status, ...changes }, ageMs } };
}

function lastOf(nodeId: string) {
  return node(nodeId, {}, 90_000).last as { status: NodeStatus; ageMs: number };
}

function report(changes: Partial<Report> = {}): Report {
  return {
    ...{ at: 0, nodeId: 'a', nodes: [node('a')], waiting: 0, oldestWaitMs: 0, samples: [] },
    recorder: { status: { version: '1', recording: true }, ageMs: 0 },
    outbox: { length: 0, oldestAgeMs: 0, setAside: 0 },
    ...changes,
  };
}

describe('what an operator is told', () => {
  it('is nothing while all is well', () => {
    expect(findings(report())).toEqual([]);
    expect(findings(report({ waiting: 1, oldestWaitMs: 900_000 }))).toEqual([]);
  });

  const { recorder: _, ...withoutRecorder } = report();
  it.each<[what: string, report: Report, level: 'bad' | 'note', text: RegExp]>([
    ['there are no nodes', report({ nodes: [] }), 'bad', /No node/],
    ['a lease lapsed', report({ nodes: [node('a'), { ...node('b'), lapsed: true }] }), 'bad', /lapsed of b\./],
    ['a node is lost', report({ lost: [{ nodeId: 'b', last: lastOf('b') }] }), 'bad', /^Died, or hung .*: b\.$/],
    ['a node is silent', report({ nodes: [node('a'), node('b', {}, 9000)] }), 'bad', /heard .* of b\./],
    ['a node is busy', report({ nodes: [node('a', { eventLoopDelayMs: 101 })] }), 'bad', /busy.*: a\./],
    ['nobody records', withoutRecorder, 'bad', /No recorder/],
    [
      'the recorder cannot record',
      report({ recorder: { status: { version: '1', recording: false }, ageMs: 0 } }),
      'bad',
      /cannot record/,
    ],
    ['facts wait', report({ outbox: { length: 1, oldestAgeMs: 90_000, setAside: 0 } }), 'bad', /for 1 min 30 s\./],
    [
      'facts are refused',
      report({ outbox: { length: 0, oldestAgeMs: 0, setAside: 2 } }),
      'bad',
      /2 facts were refused/,
    ],
    ['people wait', report({ waiting: 2, oldestWaitMs: 61_000 }), 'bad', /2 users wait/],
    ['a node is being stopped', report({ nodes: [node('a', { draining: true })] }), 'note', /stopped: a\./],
    ['a node says nothing', report({ nodes: [node('a'), { nodeId: 'b', lapsed: false }] }), 'note', /not say.*: b\./],
    ['versions differ', report({ nodes: [node('a'), node('b', { version: '2' })] }), 'note', /versions: 1, 2\./],
  ])('is told when %s', (_what, given, level, text) => {
    expect(findings(given)).toEqual([{ level, text: expect.stringMatching(text) }]);
  });

  it('names few of many', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map(nodeId => node(nodeId, { draining: true }));
    expect(findings(report({ nodes }))[0]?.text).toBe('Being stopped: a, b, c and 2 more.');
  });

  it('has one state for each node, the worst', () => {
    expect(stateOf({ ...node('a', { draining: true }, 9000), lapsed: true })).toBe('lapsed');
    expect(stateOf(node('a', { draining: true, eventLoopDelayMs: 500 }, 9000))).toBe('silent');
    expect(stateOf(node('a'))).toBe('ok');
    expect(stateOf({ nodeId: 'a', last: lastOf('a') })).toBe('lost');
  });
});

describe('samples', () => {
  const at = (...times: number[]) => times.map(each => ({ at: each }) as Sample);

  it('are put together without going back, and forgotten after ten minutes', () => {
    expect(mergeSamples([], at(1, 2))).toEqual(at(1, 2));
    expect(mergeSamples(at(1, 4), at(2, 4, 5))).toEqual(at(1, 4, 5));
    expect(mergeSamples(at(0, 60_000), at(600_000))).toEqual(at(60_000, 600_000));
  });
});

describe('figures', () => {
  it.each<[ms: number, text: string]>([
    [0, '0 ms'],
    [999, '999 ms'],
    [1500, '1.5 s'],
    [45_400, '45 s'],
    [59_700, '1 min'],
    [90_000, '1 min 30 s'],
    [3_600_000, '1 h'],
    [90_060_000, '1 d 1 h'],
  ])('of %p ms are %p', (ms, text) => {
    expect(time(ms)).toBe(text);
  });

  it('are short', () => {
    expect([count(12_345), rate(0.12345), rate(12_345.6), bytes(93_400_000), bytes(1_234_000_000)]).toEqual([
      ...['12,345', '0.123', '12,346', '93 MB', '1.23 GB'],
    ]);
  });
});
