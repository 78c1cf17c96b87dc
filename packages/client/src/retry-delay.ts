const firstMs = 500;
const greatestMs = 8000;

/**
 * How long to wait before connecting again, in ms: any time up to a bound, so that the clients of a lost node come spread out
 * and not in waves. The bound is short at first, as another node may be there at once, and doubles with each attempt.
 * @param random a number from 0 to less than 1
 * @param attempt how many attempts have failed since the last time that it worked
 */
export function retryDelay(attempt: number, random = Math.random()): number {
  return Math.min(greatestMs, firstMs * 2 ** attempt) * random;
}
