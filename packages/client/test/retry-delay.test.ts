import { retryDelay } from '../src/retry-delay.ts';

describe('the wait before an attempt', () => {
  it('is short at first, never long, and never the same for all', () => {
    for (const [attempt, greatestMs] of [250, 500, 1000, 2000, 2000, 2000].entries()) {
      const waits = Array.from({ length: 100 }, () => retryDelay(attempt));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(greatestMs / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(greatestMs);
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
    expect(retryDelay(5000)).toBeLessThanOrEqual(2000);
  });
});
