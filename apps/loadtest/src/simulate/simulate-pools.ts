import { MemoryChannels, MemoryOutbox, MemoryPairStore } from '@passerby/core';
import { randomTimes } from './random-times.ts';
import { type Behaviour, type PoolOutcome, simulatePool } from './simulate-pool.ts';

/** Pools are alike and know nothing of each other, so a few of them speak for all: as many as have so many users. */
const enoughUsers = 10_000;
const enoughPools = 4;
/** A lease that outlasts every simulation. */
const leaseMs = Number.MAX_SAFE_INTEGER;

/** The outbox of a store whose facts nobody wants. */
class NoOutbox extends MemoryOutbox {
  override add(): void {}
}

export interface PoolsOptions extends Behaviour {
  users: number;
  pools: number;
  /** How many searches to look at, in all pools together. */
  searches: number;
  seed: number;
}

/**
 * Simulates pools that share the users evenly, with the model of the pair store deciding: its rule is the one that the
 * scripts follow too.
 */
export async function simulatePools(options: PoolsOptions): Promise<PoolOutcome[]> {
  const users = options.users / options.pools;
  const simulated = Math.min(options.pools, enoughPools, Math.ceil(enoughUsers / users));
  const outcomes: PoolOutcome[] = [];
  for (let pool = 0; pool < simulated; pool++) {
    const random = randomTimes(options.seed + pool);
    const clock = { nowMs: 0 };
    const outside = { channels: new MemoryChannels(), outbox: new NoOutbox() };
    const store = new MemoryPairStore({ ...outside, now: () => clock.nowMs, random: random.next });
    await store.renewLease({ nodeId: 'node', leaseMs });
    const searches = options.searches / simulated;
    outcomes.push(await simulatePool({ store, nodeId: 'node', clock, random, users, behaviour: options, searches }));
  }
  return outcomes;
}
