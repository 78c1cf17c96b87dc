import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { LatencyName } from './load-report.ts';
import type { Mismatch } from './session-side.ts';
import { TimeHistogram } from './time-histogram.ts';

/** What happened how often. */
export interface Counts {
  connects: number;
  /** Users who were matched: two for each match. */
  matched: number;
  sent: number;
  delivered: number;
  disconnects: number;
  /** Messages that came too late for a chat that had just ended, and were refused for that. */
  late: number;
  /** How often a user may have missed the whole of a chat: the connection was lost, or the partner had left at once. */
  untold: number;
}

/** What one worker counted since the last time. */
export interface TallyPart extends Counts {
  connected: number;
  paired: number;
  errors: Record<string, number>;
  mismatches: Partial<Record<Mismatch, number>>;
  /** Encoded. */
  latencies: Partial<Record<LatencyName, string>>;
  /** The share of one core that the worker used. */
  cpu: number;
  /** 99th percentile of how late its event loop was, in ms. */
  loopDelayMs: number;
}

const loopResolutionMs = 10;
const nothing = (): Counts => ({ connects: 0, matched: 0, sent: 0, delivered: 0, disconnects: 0, late: 0, untold: 0 });

/** Counts what happens in one worker. */
export class Tally {
  counts: Counts = nothing();
  connected = 0;
  paired = 0;
  #errors: Record<string, number> = {};
  #mismatches: TallyPart['mismatches'] = {};
  readonly #histograms = new Map<LatencyName, TimeHistogram>();
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: loopResolutionMs });
  #cpu = process.cpuUsage();
  #since = performance.now();

  constructor() {
    this.#loop.enable();
  }

  error(code: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  mismatch(kind: Mismatch): void {
    this.#mismatches[kind] = (this.#mismatches[kind] ?? 0) + 1;
  }

  latency(name: LatencyName, ms: number): void {
    let histogram = this.#histograms.get(name);
    if (!histogram) {
      histogram = TimeHistogram.empty();
      this.#histograms.set(name, histogram);
    }
    histogram.record(ms);
  }

  /** What was counted since the last call. */
  take(): TallyPart {
    const latencies: TallyPart['latencies'] = {};
    for (const [name, histogram] of this.#histograms) {
      if (histogram.count > 0) latencies[name] = histogram.encode();
      histogram.clear();
    }
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedMs = performance.now() - this.#since;
    const part: TallyPart = {
      ...this.counts,
      ...{ connected: this.connected, paired: this.paired, latencies },
      errors: this.#errors,
      mismatches: this.#mismatches,
      cpu: elapsedMs > 0 ? (user + system) / 1000 / elapsedMs : 0,
      // The monitor counts the time from one look to the next.
      loopDelayMs: Math.max(0, this.#loop.percentile(99) / 1e6 - loopResolutionMs),
    };
    this.counts = nothing();
    this.#errors = {};
    this.#mismatches = {};
    this.#loop.reset();
    this.#cpu = process.cpuUsage();
    this.#since = performance.now();
    return part;
  }

  stop(): void {
    this.#loop.disable();
  }
}
