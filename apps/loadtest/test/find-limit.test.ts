import { findLimit } from '../src/find-limit.ts';
import type { Window } from '../src/run-record.ts';

const calm = { cpu: 0.2, loopDelayMs: 1 };

/** A target, and a loader, that carry so much. */
function world({ server = Number.POSITIVE_INFINITY, loader = Number.POSITIVE_INFINITY, stalls = false } = {}) {
  return (rate: number): Promise<Window> => {
    const p99 = rate > server && !stalls ? 500 : 10;
    const count = rate > server && stalls ? rate / 2 : rate;
    return Promise.resolve({
      ...{ elapsedMs: 1000, count, p99, errors: 0 },
      loader: rate > loader ? { ...calm, cpu: 0.99 } : calm,
    });
  };
}

const search = (measure: (rate: number) => Promise<Window | undefined>, firstRate = 100) =>
  findLimit({ firstRate, unit: 'messages per second', boundMs: 100, measure, onStep: () => undefined });

describe('the search for the limit', () => {
  it.each([100, 1000, 5000])('comes near to what the server carries, from %d', async firstRate => {
    const { found, because, steps } = await search(world({ server: 1234 }), firstRate);
    expect(found).toBeLessThanOrEqual(1234);
    expect(found).toBeGreaterThan(1234 * 0.88);
    expect(because).toMatch(/^The p99 was 500\.0 ms, more than 100 ms, at \d+ messages per second\.$/);
    expect(steps.filter(({ saturated }) => saturated === 'no').at(-1)?.rate).toBe(found);
  });

  it('sees that a server which answers fast does not answer all', async () => {
    const { found, because } = await search(world({ server: 1234, stalls: true }));
    expect(found).toBeLessThanOrEqual(1234);
    expect(because).toMatch(/^Only 50 % of what was due was done in time at/);
  });

  it('does not take a single bad moment for the limit', async () => {
    let steps = 0;
    const { found } = await search(rate => {
      steps += 1;
      return world({ server: steps === 3 ? 0 : 1234 })(rate);
    });
    expect(found).toBeGreaterThan(1234 * 0.88);
  });

  it('says that the loader is the limit', async () => {
    const { because, steps } = await search(world({ server: 5000, loader: 1000 }));
    expect(because).toMatch(/^The load tester itself could do no more/);
    expect(steps.map(({ saturated }) => saturated)).not.toContain('server');
  });

  it('ends where nothing is carried, and when it is interrupted', async () => {
    expect(await search(world({ server: 0 }))).toMatchObject({ found: 0 });
    const interrupted = await search(rate => (rate < 200 ? world()(rate) : Promise.resolve(undefined)));
    expect(interrupted).toMatchObject({ found: 150, because: 'The search was ended before the limit was found.' });
  });
});
