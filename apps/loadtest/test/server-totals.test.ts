import type { Sample } from '../src/load-report.ts';
import { serverTotals } from '../src/server-totals.ts';
import { inventedReport } from './invented-report.ts';

const { totals, samples } = inventedReport({ seconds: 1 });
const at = (ms: number, cpu: number): Sample => ({
  ...(samples[0] as Sample),
  at: ms,
  servers: [{ name: 'Redis', cpu, rssBytes: 5 }],
});

describe('serverTotals', () => {
  it('takes the mean of the time in which the load was on, and the peak of all', () => {
    const samples = [at(1000, 0.9), at(1300, 0.9), at(2300, 0.2), at(3300, 0.4), at(4300, 0)];
    const [found] = serverTotals({ samples, load: { from: 1300, to: 3300, totals } });
    expect(found?.meanCpu).toBeCloseTo(0.3);
    expect(found?.peakCpu).toBeCloseTo(0.9);
  });

  it('takes no peak from a moment too short to measure in', () => {
    expect(serverTotals({ samples: [at(1000, 0.2), at(2000, 0.4)] })[0]).toMatchObject({ peakCpu: 0.4, peakBytes: 5 });
    const [totals] = serverTotals({ samples: [at(1000, 0.2), at(2000, 0.4), at(2100, 0.95)] });
    expect(totals?.peakCpu).toBeCloseTo((0.4 * 1000 + 0.95 * 100) / 1100);
    expect(totals?.meanCpu).toBeLessThan(0.4);
  });
});
