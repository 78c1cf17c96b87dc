import type { Sample } from '../src/load-report.ts';
import { serverTotals } from '../src/server-totals.ts';
import { inventedReport } from './invented-report.ts';

describe('serverTotals', () => {
  it('takes no peak from a moment too short to measure in', () => {
    const [sample] = inventedReport({ seconds: 1 }).samples;
    if (!sample) throw new Error('There is a sample.');
    const at = (ms: number, cpu: number): Sample => ({
      ...sample,
      at: ms,
      servers: [{ name: 'Redis', cpu, rssBytes: 5 }],
    });
    expect(serverTotals([at(1000, 0.2), at(2000, 0.4)])[0]).toMatchObject({ peakCpu: 0.4, peakBytes: 5 });
    const [totals] = serverTotals([at(1000, 0.2), at(2000, 0.4), at(2100, 0.95)]);
    expect(totals?.peakCpu).toBeCloseTo((0.4 * 1000 + 0.95 * 100) / 1100);
    expect(totals?.meanCpu).toBeLessThan(0.4);
  });
});
