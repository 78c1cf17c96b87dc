import { RefusedFactsError, type SessionFact, type SessionStarted } from '@passerby/core';
import { Sweeper, type SweepStep } from '../src/sweeper.ts';

const sweepEveryMs = 60_000;
const session = (sessionId: string): SessionStarted => ({
  kind: 'started',
  sessionId,
  userA: 'a',
  userB: 'b',
  startedAt: 0,
});

let alive: Set<string>;
let open: SessionStarted[];
let written: SessionFact[];
let failWith: Error | undefined;
/** Sessions whose facts the log refuses. */
let refused: Set<string>;
/** Where each look for strays began. */
let looks: string[];
let sweeper: Sweeper;

beforeEach(() => {
  jest.useFakeTimers();
  alive = new Set();
  open = [];
  written = [];
  failWith = undefined;
  refused = new Set();
  looks = [];
  sweeper = new Sweeper({
    sweepEveryMs,
    registry: {
      areAlive: async sessions => {
        if (failWith) throw failWith;
        return sessions.map(({ sessionId }) => alive.has(sessionId));
      },
      adoptStrays: async cursor => {
        looks.push(cursor);
        return looks.length === 2 ? '0' : `after ${cursor}`;
      },
    },
    sessionLog: {
      check: async () => undefined,
      openSessions: async ({ startedBefore, after, limit }) =>
        open.filter(({ sessionId, startedAt }) => startedAt < startedBefore && sessionId > after).slice(0, limit),
      write: async facts => {
        if (facts.some(({ sessionId }) => refused.has(sessionId))) throw new RefusedFactsError('bad data', undefined);
        written.push(...facts);
        const ids = new Set(facts.map(({ sessionId }) => sessionId));
        open = open.filter(({ sessionId }) => !ids.has(sessionId));
      },
    },
  });
});

afterEach(() => jest.useRealTimers());

/** A whole sweep, `afterMs` from now. @returns what its steps did */
async function sweep(afterMs = sweepEveryMs): Promise<SweepStep[]> {
  jest.advanceTimersByTime(afterMs);
  const steps: SweepStep[] = [];
  do steps.push(await sweeper.step());
  while (sweeper.isUnderWay);
  return steps;
}

const closed = () => written.map(({ sessionId }) => sessionId);

describe('Sweeper', () => {
  it('closes what is missing in two sweeps, and only then', async () => {
    open = ['s1', 's2'].map(session);
    alive.add('s2');
    await sweep();
    expect(closed()).toEqual([]);
    await sweep();
    expect(written).toEqual([
      { ...session('s1'), kind: 'ended', endedAt: Date.now(), endReason: 'lost', messages: null },
    ]);
    expect(open).toEqual([session('s2')]);
  });

  it('does not count two looks that are too close', async () => {
    open = [session('s1')];
    await sweep();
    await sweep(sweepEveryMs - 1);
    expect(closed()).toEqual([]);
    await sweep(1);
    expect(closed()).toEqual(['s1']);
  });

  it('begins to count again for a session that was there in between, and after a failure', async () => {
    open = [session('s1')];
    await sweep();
    alive.add('s1');
    await sweep();
    alive.clear();
    await sweep();
    failWith = new Error('Redis is away');
    await expect(sweep()).rejects.toThrow(failWith);
    failWith = undefined;
    await sweep();
    expect(closed()).toEqual([]);
    await sweep();
    expect(closed()).toEqual(['s1']);
  });

  it('leaves the ones that are young alone', async () => {
    open = [{ ...session('s1'), startedAt: Date.now() }];
    await sweep();
    await sweep();
    expect(closed()).toEqual([]);
    await sweep(1);
    await sweep();
    expect(closed()).toEqual(['s1']);
  });

  it('leaves open only what the log refuses, closes all others of every page, and tells', async () => {
    const ids = Array.from({ length: 1_200 }, (_, n) => `s${String(n).padStart(4, '0')}`);
    open = ids.map(session);
    refused = new Set(['s0003', 's0004', 's0700']);
    await sweep();
    const steps = await sweep();
    expect(open.map(({ sessionId }) => sessionId)).toEqual([...refused]);
    expect(closed().toSorted()).toEqual(ids.filter(id => !refused.has(id)));
    expect(steps.flatMap(step => step.refused)).toEqual(
      [...refused].map(sessionId => ({ sessionId, reason: 'bad data' })),
    );
    expect(steps.reduce((sum, step) => sum + step.closed, 0)).toBe(1_197);

    // What was wrong is mended: it is missed and closed like any other.
    refused.clear();
    await sweep();
    await sweep();
    expect(open).toEqual([]);
  });

  it('looks at all users of the registry, round and round', async () => {
    for (let n = 0; n < 4; n++) await sweep();
    expect(looks).toEqual(['0', 'after 0', '0', 'after 0']);
  });

  it('waits for its time, and for older facts to be recorded', () => {
    expect(sweeper.mayStep(0)).toBe(false);
    jest.advanceTimersByTime(sweepEveryMs);
    expect(sweeper.mayStep(0)).toBe(true);
    expect(sweeper.mayStep(sweepEveryMs / 2)).toBe(false);
  });
});
