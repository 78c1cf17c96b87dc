import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Draws that are the same for the same seed. */
export interface RandomTimes {
  /** From 0 up to, but not including, 1. */
  next(): number;
  /** A time with this mean after which something happens that may happen at any moment, in the unit of the mean. */
  exponential(mean: number): number;
}

export function randomTimes(seed: number): RandomTimes {
  const generator = xoroshiro128plus(seed);
  const next = () => uniformFloat64(generator);
  return { next, exponential: mean => -Math.log(1 - next()) * mean };
}
