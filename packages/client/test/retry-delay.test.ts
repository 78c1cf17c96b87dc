import { retryDelay } from '../src/retry-delay.ts';

describe('the wait before an attempt', () => {
  it('is any time up to a bound that grows and ends, so that many do not come at once', () => {
    for (const [attempt, greatestMs] of [500, 1000, 2000, 4000, 8000, 8000, 8000].entries()) {
      const waits = Array.from({ length: 1000 }, () => retryDelay(attempt));
      const inEachTenth = Array.from({ length: 10 }, (_, tenth) =>
        waits.some(ms => Math.floor((ms / greatestMs) * 10) === tenth),
      );
      expect(inEachTenth).toEqual(inEachTenth.map(() => true));
      expect(Math.max(...waits)).toBeLessThanOrEqual(greatestMs);
    }
    expect(retryDelay(5000)).toBeLessThanOrEqual(8000);
  });
});
