import { summary } from '../src/summary.ts';
import { verdict } from '../src/verdict.ts';
import { inventedLimitReport, inventedReport } from './invented-report.ts';

describe('summary', () => {
  it('shows totals, latencies, errors, servers and the verdict', () => {
    const text = summary(inventedReport());
    expect(text).toMatch(/^ +connects +2,000 +33\.3$/m);
    expect(text).toMatch(/^ +match +5,\d{3} +210 ms +96 ms +540 ms +1\.43 s +2\.21 s +2\.48 s$/m);
    expect(text).toMatch(/^ +TOO_MANY_MESSAGES +14$/m);
    expect(text).toMatch(/^ +chat node 2 +\d\d % +\d\d % +\d{3} MB$/m);
    expect(text).toMatch(/^Passed: 4\d\d,\d{3} messages arrived/m);
    expect(text).not.toContain('mismatches');
  });

  it('counts rates while the load was on, and none where that is not known', () => {
    const { load, totals, ...report } = inventedReport();
    const text = summary({
      ...report,
      totals,
      load: { from: 10_000, to: 20_000, totals: { ...totals, sent: 12_340 } },
    });
    expect(text).toMatch(/^chat, 60 s, 10 s of it under load, against /);
    expect(text).toMatch(/^ +sent +4\d\d,\d{3} +1,234$/m);
    expect(summary({ ...report, totals })).not.toContain('per second');
  });

  it('shows the steps of a search for the limit', () => {
    const text = summary(inventedLimitReport());
    expect(text).toMatch(/^ +16,000 +2\.4 s +server$/m);
    expect(text).toContain('The limit is 10,500 messages per second: at 11,000');
  });

  it('lets no code from elsewhere reach the terminal as a command', () => {
    expect(summary({ ...inventedReport(), errors: { '\x1b[2J': 1 } })).not.toContain('\x1b');
  });
});

describe('verdict', () => {
  it('fails a run with a mismatch, even one that was interrupted', () => {
    const { passed, sentences } = verdict({ ...inventedReport(), interrupted: true, mismatches: { order: 1 } });
    expect(passed).toBe(false);
    expect(sentences.slice(0, 2)).toEqual(['Failed: 1 mismatch: 1 × order.', 'It was interrupted after 60 s.']);
  });

  it('fails a run in which nobody could connect', () => {
    const report = inventedReport();
    expect(verdict({ ...report, totals: { ...report.totals, connects: 0 } }).passed).toBe(false);
  });

  it.each([
    [{ away: 3, waiting: 2 }, 'Failed: 3 of 2,000 users were not back.'],
    [{ away: 0, waiting: 2 }, 'Failed: 2 of 2,000 users were still waiting.'],
    [{ away: 0, waiting: 1 }, 'Passed: '],
  ])('judges users who were left behind: %j', (stranded, sentence) => {
    const { sentences } = verdict({ ...inventedReport(), stranded: { users: 2000, ...stranded } });
    expect(sentences[0]).toContain(sentence);
  });

  it('passes a run with errors, and tells of them', () => {
    const { passed, sentences } = verdict(inventedReport());
    expect(passed).toBe(true);
    expect(sentences).toContain('17 errors: 14 × TOO_MANY_MESSAGES, 3 × UNAVAILABLE.');
  });

  it('tells when the load tester was the busy one', () => {
    const report = inventedReport();
    const samples = report.samples.map(sample => ({ ...sample, loader: { cpu: 0.97, loopDelayMs: 4 } }));
    expect(verdict({ ...report, samples }).sentences.join()).toContain('busy in 60 of 60 seconds');
    expect(verdict(report).sentences.join()).not.toContain('busy');
  });

  it('doubts a limit at which no server here had much to do', () => {
    const report = inventedLimitReport();
    const idle = report.samples.map(sample => ({ ...sample, servers: [{ name: 'Redis', cpu: 0.2, rssBytes: 1 }] }));
    const elsewhere = report.samples.map(sample => ({ ...sample, servers: [] }));
    const doubt = 'No server here used more than 20 % of a core';
    expect(verdict({ ...report, samples: idle }).sentences.join()).toContain(doubt);
    expect(verdict({ ...report, samples: elsewhere }).sentences.join()).not.toContain('No server');
    expect(verdict(report).sentences.join()).not.toContain('No server');
  });
});
