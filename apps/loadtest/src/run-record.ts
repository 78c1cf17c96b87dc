import type { LatencyName, LoadReport, LoadTime, Sample, ServerSample, Totals } from './load-report.ts';
import type { LoaderNews } from './loader-commands.ts';
import { SessionAudit } from './session-audit.ts';
import type { Counts, TallyPart } from './tally.ts';
import { TimeHistogram } from './time-histogram.ts';

/** What was seen between two moments of a run. */
export interface Window {
  elapsedMs: number;
  /** How many of the latency that is judged ended, and their 99th percentile in ms. */
  count: number;
  p99: number;
  errors: number;
  /** Means over the seconds, of the busiest worker in each. */
  loader: { cpu: number; loopDelayMs: number };
}

type Result = Pick<LoadReport, 'totals' | 'load' | 'latencies' | 'errors' | 'mismatches' | 'samples'>;

/** Puts together what the workers tell, for the second and for the whole run. */
export class RunRecord {
  readonly #startedAt: number;
  readonly #samples: Sample[] = [];
  readonly #audit = new SessionAudit();
  readonly #latencies = new Map<LatencyName, TimeHistogram>();
  readonly #errors: Record<string, number> = {};
  readonly #mismatches: Record<string, number> = {};
  readonly #totals: Counts = { connects: 0, matched: 0, sent: 0, delivered: 0, disconnects: 0, late: 0, untold: 0 };
  /** The matched user who makes a match together with the next one. */
  #halfMatch = 0;
  #loadBegan: { at: number; totals: Totals } | undefined;
  #load: LoadTime | undefined;
  #window: { since: number; samples: Sample[]; judged: LatencyName; histogram: TimeHistogram } | undefined;

  /** @param startedAt on the clock of `performance.now()` */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Takes what all workers told of the time since the last call. */
  add(news: readonly LoaderNews[], servers: ServerSample[]): Sample {
    const parts = news.map(({ tally }) => tally);
    const sum = (of: (part: TallyPart) => number): number => parts.reduce((all, part) => all + of(part), 0);
    for (const { sides } of news) for (const side of sides) this.#audit.add(side);
    for (const { mismatches } of parts) addTo(this.#mismatches, mismatches);
    for (const { errors } of parts) addTo(this.#errors, errors);
    for (const name of Object.keys(this.#totals) as (keyof Counts)[]) {
      this.#totals[name] += sum(part => part[name]);
    }
    const matched = sum(part => part.matched) + this.#halfMatch;
    this.#halfMatch = matched % 2;
    const sample: Sample = {
      at: performance.now() - this.#startedAt,
      connected: sum(part => part.connected),
      paired: sum(part => part.paired),
      connects: sum(part => part.connects),
      matches: Math.floor(matched / 2),
      sent: sum(part => part.sent),
      delivered: sum(part => part.delivered),
      errors: sum(part => Object.values(part.errors).reduce((all, count) => all + count, 0)),
      latencies: this.#takeLatencies(parts),
      loader: {
        cpu: Math.max(0, ...parts.map(part => part.cpu)),
        loopDelayMs: Math.max(0, ...parts.map(part => part.loopDelayMs)),
      },
      servers,
    };
    this.#samples.push(sample);
    this.#window?.samples.push(sample);
    return sample;
  }

  /** The codes of all errors so far. */
  get errorCodes(): string[] {
    return Object.keys(this.#errors);
  }

  /** The load is on from then on, on the clock of `performance.now()`: soon after the last sample, and before anything else. */
  beginLoad(at: number): void {
    this.#loadBegan = { at: at - this.#startedAt, totals: this.#soFar };
  }

  /** The load was on until then, just before the end of the last sample. Nothing happens if it was not. */
  endLoad(at: number): void {
    if (!this.#loadBegan) return;
    const { at: from, totals: before } = this.#loadBegan;
    const after = this.#soFar;
    const grown = (name: keyof Totals) => after[name] - before[name];
    this.#load = {
      ...{ from, to: at - this.#startedAt },
      totals: {
        ...{ connects: grown('connects'), matches: grown('matches'), sent: grown('sent') },
        ...{ delivered: grown('delivered'), disconnects: grown('disconnects') },
      },
    };
  }

  get #soFar(): Totals {
    const { matched, late, untold, ...totals } = this.#totals;
    return { ...totals, matches: Math.floor(matched / 2) };
  }

  /** Begins to look at what comes from now on by itself. */
  openWindow(judged: LatencyName): void {
    this.#window = { since: performance.now(), samples: [], judged, histogram: TimeHistogram.empty() };
  }

  /** What came since `openWindow`. */
  closeWindow(): Window {
    const window = this.#window;
    if (!window) throw new Error('There is no window to close.');
    this.#window = undefined;
    const { since, samples, histogram } = window;
    const mean = (of: (sample: Sample) => number): number =>
      samples.reduce((all, sample) => all + of(sample), 0) / Math.max(1, samples.length);
    return {
      elapsedMs: performance.now() - since,
      count: histogram.count,
      p99: histogram.summary().p99,
      errors: samples.reduce((all, { errors }) => all + errors, 0),
      loader: { cpu: mean(({ loader }) => loader.cpu), loopDelayMs: mean(({ loader }) => loader.loopDelayMs) },
    };
  }

  /**
   * All of it. Nothing may be added any more.
   * @param bothSidesBefore sessions that began before then have two sides, on the clock of `now()`
   */
  result(bothSidesBefore: number): Result {
    this.#audit.end(bothSidesBefore);
    const { lost } = this.#audit;
    // Who was never told of a session, if it was somebody who could not be, is not known.
    const oneSided = this.#audit.oneSided - this.#totals.untold;
    const mismatches = {
      ...this.#mismatches,
      ...(lost > 0 && { lost }),
      ...(oneSided > 0 && { 'one side': oneSided }),
    };
    return {
      totals: { ...this.#soFar, unconfirmed: this.#audit.unconfirmed + this.#totals.late },
      ...(this.#load && { load: this.#load }),
      latencies: Object.fromEntries([...this.#latencies].map(([name, histogram]) => [name, histogram.summary()])),
      ...{ errors: this.#errors, mismatches, samples: this.#samples },
    };
  }

  #takeLatencies(parts: readonly TallyPart[]): Sample['latencies'] {
    const now = new Map<LatencyName, TimeHistogram>();
    for (const { latencies } of parts) {
      for (const [name, encoded] of Object.entries(latencies) as [LatencyName, string][]) {
        const histogram = TimeHistogram.decode(encoded);
        ofName(now, name).add(histogram);
        ofName(this.#latencies, name).add(histogram);
        if (this.#window?.judged === name) this.#window.histogram.add(histogram);
      }
    }
    return Object.fromEntries(
      [...now].map(([name, histogram]) => {
        const { p50, p99, max } = histogram.summary();
        return [name, { p50, p99, max }];
      }),
    );
  }
}

function ofName(histograms: Map<LatencyName, TimeHistogram>, name: LatencyName): TimeHistogram {
  const histogram = histograms.get(name) ?? TimeHistogram.empty();
  histograms.set(name, histogram);
  return histogram;
}

function addTo(counts: Record<string, number>, more: Record<string, number>): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
}
