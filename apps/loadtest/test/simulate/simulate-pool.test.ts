import { MemoryChannels, MemoryOutbox, MemoryPairStore, type PairStore } from '@passerby/core';
import { redisStoreBench } from '../../../../packages/redis/test/redis-store-bench.ts';
import { matchingFigures } from '../../src/simulate/matching-figures.ts';
import { randomTimes } from '../../src/simulate/random-times.ts';
import { type Behaviour, type PoolOutcome, simulatePool } from '../../src/simulate/simulate-pool.ts';
import { simulatePools } from '../../src/simulate/simulate-pools.ts';

/** People who stay, as closed-form queueing has them. */
const staying: Behaviour = { chatMs: 180_000, pauseMs: 3000, chats: 1e6, patienceMs: 1e12 };
const passing: Behaviour = { chatMs: 60_000, pauseMs: 2000, chats: 3, patienceMs: 20_000 };

async function simulateWith(store: PairStore, clock: { nowMs: number }): Promise<PoolOutcome> {
  await store.renewLease({ nodeId: 'n1', leaseMs: 600_000_000 });
  const random = randomTimes(7);
  return simulatePool({ store, nodeId: 'n1', clock, random, users: 60, behaviour: passing, searches: 1500 });
}

describe('the simulation of a pool', () => {
  it('agrees with closed-form queueing where that has an answer', async () => {
    const options = { users: 4000, pools: 1, searches: 40_000, seed: 1 };
    const figures = matchingFigures(await simulatePools({ ...options, ...staying }));
    // The queue holds one user or none. Who comes to an empty one waits for whoever comes next: exponential.
    expect(figures.longestQueue).toBe(1);
    expect(figures.atOnce).toBeCloseTo(0.5, 3);
    const next = 1000 / figures.searchesPerSecond;
    expect(figures.meanMs / (next / 2)).toBeCloseTo(1, 1);
    expect(figures.p99Ms / (next * Math.log(50))).toBeCloseTo(1, 1);
    // One who skips into an empty queue gets the same partner again if nobody comes before that one does.
    expect(figures.again * 2 * (1 + staying.pauseMs / next)).toBeGreaterThan(0.85);
    expect(figures.again * 2 * (1 + staying.pauseMs / next)).toBeLessThan(1.15);
  });

  it('has the same outcome on the real scripts as on the model', async () => {
    const bench = await redisStoreBench();
    try {
      const clock = { nowMs: 0 };
      const outside = { channels: new MemoryChannels(), outbox: new MemoryOutbox() };
      const model = await simulateWith(new MemoryPairStore({ ...outside, now: () => clock.nowMs }), clock);
      expect(await simulateWith(bench.store, { nowMs: 0 })).toEqual(model);
      expect(model.again).toBeGreaterThan(10);
      expect(model.gaveUp).toBeGreaterThan(10);
    } finally {
      await bench.loseData();
      await bench.close();
    }
  });

  it('gives the same figures for the same seed, and others for another', async () => {
    const options = { ...passing, users: 100, pools: 2, searches: 2000 };
    const [first, same, other] = await Promise.all([1, 1, 2].map(seed => simulatePools({ ...options, seed })));
    expect(same).toEqual(first);
    expect(other).not.toEqual(first);
    // Each pool has draws of its own.
    expect(first?.[0]).not.toEqual(first?.[1]);
  });

  it('lets those go who have to wait for too long', async () => {
    const figures = matchingFigures(await simulatePools({ ...passing, users: 4, pools: 4, searches: 4000, seed: 1 }));
    expect(figures.metNobody).toBeGreaterThan(0.5);
    expect(figures.gaveUp).toBeGreaterThan(0.3);
    // Nobody waits many times as long as people have patience.
    expect(figures.longestMs).toBeLessThan(20 * passing.patienceMs);
  });
});
