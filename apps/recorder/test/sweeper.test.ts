import type { SessionFact, SessionStarted } from '@passerby/core';
import { Sweeper } from '../src/sweeper.ts';

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
let sweeper: Sweeper;

beforeEach(() => {
  jest.useFakeTimers();
  alive = new Set();
  open = [];
  written = [];
  failWith = undefined;
  sweeper = new Sweeper({
    sweepEveryMs,
    registry: {
      areAlive: async sessions => {
        if (failWith) throw failWith;
        return sessions.map(({ sessionId }) => alive.has(sessionId));
      },
    },
    sessionLog: {
      check: async () => undefined,
      openSessions: async ({ startedBefore, after, limit }) =>
        open.filter(({ sessionId, startedAt }) => startedAt < startedBefore && sessionId > after).slice(0, limit),
      write: async facts => {
        written.push(...facts);
        const ids = new Set(facts.map(({ sessionId }) => sessionId));
        open = open.filter(({ sessionId }) => !ids.has(sessionId));
      },
    },
  });
});

afterEach(() => jest.useRealTimers());

/** A whole sweep, `afterMs` from now. */
async function sweep(afterMs = sweepEveryMs): Promise<void> {
  jest.advanceTimersByTime(afterMs);
  do await sweeper.step();
  while (sweeper.isUnderWay);
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

  it('waits for its time, and for older facts to be recorded', () => {
    expect(sweeper.mayStep(0)).toBe(false);
    jest.advanceTimersByTime(sweepEveryMs);
    expect(sweeper.mayStep(0)).toBe(true);
    expect(sweeper.mayStep(sweepEveryMs / 2)).toBe(false);
  });
});
