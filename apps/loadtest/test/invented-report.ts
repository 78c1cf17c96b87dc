import type { LoadReport, Sample } from '../src/load-report.ts';

export interface InventedOptions {
  readonly seconds?: number;
  readonly nodes?: number;
}

/** A report that looks like one of a real run; the same each time. */
export function inventedReport({ seconds = 60, nodes = 2 }: InventedOptions = {}): LoadReport {
  const random = randomNumbers();
  const samples = Array.from({ length: seconds }, (_, at) => inventedSample(at, nodes, random));
  const sum = (of: (sample: Sample) => number): number => samples.reduce((total, sample) => total + of(sample), 0);
  const totals = {
    connects: sum(({ connects }) => connects),
    matches: sum(({ matches }) => matches),
    sent: sum(({ sent }) => sent),
    delivered: sum(({ delivered }) => delivered),
    disconnects: 0,
  };
  return {
    version: 1,
    scenario: 'chat',
    targets: ['http://localhost:3000'],
    options: { users: 2000, duration: '60s', workers: 2, messagesPerMinute: 240, verify: true },
    startedAt: '2026-03-14T15:09:26.535Z',
    durationMs: seconds * 1000,
    interrupted: false,
    totals,
    load: { from: 0, to: seconds * 1000, totals },
    latencies: {
      connect: { count: 2000, mean: 9.4, p50: 6.1, p90: 19, p99: 61, p999: 88, max: 104 },
      match: { count: sum(({ matches }) => matches), mean: 210, p50: 96, p90: 540, p99: 1430, p999: 2210, max: 2480 },
      delivery: {
        count: sum(({ delivered }) => delivered),
        mean: 3.3,
        p50: 2.4,
        p90: 5.2,
        p99: 14.6,
        p999: 71,
        max: 312,
      },
    },
    errors: { TOO_MANY_MESSAGES: 14, UNAVAILABLE: 3 },
    mismatches: {},
    samples,
  };
}

/** With a search for the limit, which ended because a server could do no more. */
export function inventedLimitReport(): LoadReport {
  const step = (rate: number, p99: number, saturated: 'no' | 'server' | 'loader' = 'no') => ({
    rate,
    unit: 'messages per second',
    p99,
    saturated,
  });
  const { load: _, ...report } = inventedReport();
  return {
    ...report,
    scenario: 'relay',
    limit: {
      steps: [
        ...[step(1000, 2.1), step(2000, 2.6), step(4000, 4.8), step(8000, 19), step(16_000, 2400, 'server')],
        ...[step(12_000, 640, 'server'), step(10_000, 71), step(11_000, 210, 'server'), step(10_500, 96)],
      ],
      found: 10_500,
      because: 'At 11,000 messages per second the p99 of delivery passed the bound of 100 ms.',
    },
  };
}

function inventedSample(at: number, nodes: number, random: () => number): Sample {
  const ramp = Math.min(1, (at + 1) / 10);
  const stall = at === 38 ? 9 : 1;
  const about = (value: number, spread = 0.1): number => value * (1 + spread * (2 * random() - 1));
  const sent = Math.round(about(8000 * ramp, 0.04));
  const latency = (p50: number, p99: number) => ({
    p50: about(p50),
    p99: about(p99, 0.3) * stall,
    max: about(p99 * 2.5, 0.6) * stall,
  });
  return {
    at: (at + 1) * 1000,
    connected: Math.round(2000 * ramp),
    paired: Math.round(about(1830 * ramp, 0.02)),
    connects: at < 10 ? 200 : 0,
    matches: Math.round(about(92 * ramp, 0.15)),
    sent,
    delivered: Math.round(sent * (at === 38 ? 0.7 : about(0.999, 0.001))),
    errors: at === 38 ? 15 : at === 12 ? 2 : 0,
    latencies: {
      ...(at < 10 && { connect: latency(6, 40) }),
      ...(at > 0 && { match: latency(95, 1100), delivery: latency(2.4, 11) }),
    },
    loader: { cpu: about(0.46 * ramp + 0.03), loopDelayMs: about(2.2, 0.4) * stall },
    servers: [
      { name: 'public address', cpu: about(0.32 * ramp), rssBytes: (92 + at * 0.12) * 1e6 },
      { name: 'Redis', cpu: about(0.11 * ramp), rssBytes: (14 + 4 * ramp) * 1e6 },
      { name: 'PostgreSQL', cpu: about(0.05 * ramp, 0.5), rssBytes: (58 + 6 * ramp) * 1e6 },
      { name: 'recorder', cpu: about(0.03 * ramp, 0.5), rssBytes: (118 + 12 * ramp) * 1e6 },
      ...Array.from({ length: nodes }, (_, node) => ({
        name: `chat node ${node + 1}`,
        cpu: about(0.71 * ramp),
        rssBytes: (96 + 48 * ramp + at * 0.1 + node * 5) * 1e6,
      })),
    ],
  };
}

/** Numbers from 0 to 1 that are the same in each run. */
function randomNumbers(): () => number {
  let state = 42;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
