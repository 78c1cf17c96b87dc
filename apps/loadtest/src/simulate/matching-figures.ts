import type { PoolOutcome } from './simulate-pool.ts';

/** What a simulation says of matching. Times in ms; shares from 0 to 1. */
export interface MatchingFigures {
  /** In each pool. */
  searchesPerSecond: number;
  /** The share of all searches that found a partner at once, without waiting. */
  atOnce: number;
  /** Of all searches that found a partner. */
  meanMs: number;
  p99Ms: number;
  longestMs: number;
  /** Of those that had to wait. */
  medianWaitMs: number;
  /** The longest wait as a multiple of {@link medianWaitMs}. */
  longestToMedian: number;
  /** The share of searches whose visitor went before there was a partner. */
  gaveUp: number;
  /** The share of visitors who went without having met anybody. */
  metNobody: number;
  /** The share of matches with the last partner, and with somebody met before in the same visit. */
  again: number;
  metBefore: number;
  longestQueue: number;
  /** What closed-form queueing says of {@link meanMs}. */
  expectedMeanMs: number;
}

/** Sums up pools that are alike. */
export function matchingFigures(pools: readonly PoolOutcome[]): MatchingFigures {
  const sum = (value: (pool: PoolOutcome) => number) => pools.reduce((total, pool) => total + value(pool), 0);
  const waits = pools.flatMap(pool => pool.waitsMs).sort((a, b) => a - b);
  const matches = sum(pool => pool.matches);
  const searches = sum(pool => pool.searches);
  const went = sum(pool => pool.went);
  const ofThoseWhoWaited = (share: number) => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
  const medianWaitMs = ofThoseWhoWaited(0.5);
  const longestMs = waits.at(-1) ?? 0;
  const searchesPerMs = searches / sum(pool => pool.lastedMs);
  return {
    searchesPerSecond: searchesPerMs * 1000,
    atOnce: matches / searches,
    // Of two who are matched, one had waited and the other had not.
    meanMs: waits.reduce((total, ms) => total + ms, 0) / (2 * matches),
    p99Ms: ofThoseWhoWaited(0.98),
    longestMs,
    medianWaitMs,
    longestToMedian: longestMs / medianWaitMs,
    gaveUp: sum(pool => pool.gaveUp) / searches,
    metNobody: went === 0 ? 0 : sum(pool => pool.metNobody) / went,
    again: sum(pool => pool.again) / matches,
    metBefore: sum(pool => pool.metBefore) / matches,
    longestQueue: Math.max(...pools.map(pool => pool.longestQueue)),
    expectedMeanMs: 1 / (2 * searchesPerMs),
  };
}
