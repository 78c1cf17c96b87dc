const firstMs = 250;
const greatestMs = 2000;

/**
 * How long to wait before connecting again, in ms: short at first, as another node may be there at once; then longer, and
 * always by chance, so that the clients of a lost node do not all come in the same moment.
 * @param attempt how many attempts have failed since the last time that it worked
 */
export function retryDelay(attempt: number): number {
  return Math.min(greatestMs, firstMs * 2 ** attempt) * (0.5 + Math.random() / 2);
}
