import { TokenBuckets } from '../src/token-buckets.ts';

const limit = { points: 10, seconds: 5 };

describe('token buckets', () => {
  let now: number;

  beforeEach(() => {
    now = 1_000_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });

  afterEach(() => jest.restoreAllMocks());

  it('give all points at once, then one at a time, evenly', () => {
    const buckets = new TokenBuckets(limit);
    const taken = () => {
      let count = 0;
      while (buckets.take('a') === 0) count++;
      return count;
    };
    expect(taken()).toBe(10);
    expect(buckets.take('a')).toBe(500);
    now += 499;
    expect(buckets.take('a')).toBe(1);
    now += 1;
    expect(taken()).toBe(1);
    now += 2000;
    expect(taken()).toBe(4);
    now += 60_000;
    expect(taken()).toBe(10);
  });

  it('hold each key to its own', () => {
    const buckets = new TokenBuckets(limit);
    expect(buckets.take('a', 10)).toBe(0);
    expect(buckets.take('a')).toBe(500);
    expect(buckets.take('b')).toBe(0);
  });

  it('take by weight, and take nothing for what is refused', () => {
    const buckets = new TokenBuckets(limit);
    expect(buckets.take('a', 8)).toBe(0);
    expect(buckets.take('a', 4)).toBe(1000);
    expect(buckets.take('a', 2)).toBe(0);
    expect(buckets.take('a', 11)).toBeGreaterThan(0);
  });

  it('never give more than a full bucket and what came back, whenever keys are forgotten', () => {
    const buckets = new TokenBuckets(limit);
    const startedAt = now;
    let taken = 0;
    for (let step = 1; step < 5000; step++) {
      now += (step * 7919) % 173;
      // Others come and go, so that the key is now among the older ones and now not.
      buckets.take(`other ${step}`);
      if (step % 60 < 20) while (buckets.take('a') === 0) taken++;
    }
    expect(taken).toBeLessThanOrEqual(limit.points + (now - startedAt) / 500);
    expect(taken).toBeGreaterThan((now - startedAt) / 500 / 2);
  });

  it('say what is left without taking', () => {
    const buckets = new TokenBuckets(limit);
    buckets.take('a', 5);
    expect(buckets.usedMoreThan('a', 0.4)).toBe(true);
    expect(buckets.usedMoreThan('a', 0.5)).toBe(false);
    expect(buckets.waitMs('a')).toBe(0);
    buckets.take('a', 5);
    expect(buckets.waitMs('a')).toBe(500);
    expect(buckets.waitMs('b')).toBe(0);
  });

  it('never refuse without a limit', () => {
    const buckets = new TokenBuckets({ points: Infinity, seconds: 1 });
    for (let count = 0; count < 1000; count++) expect(buckets.take('a', 1000)).toBe(0);
    expect(buckets.usedMoreThan('a', 0.5)).toBe(false);
  });
});
