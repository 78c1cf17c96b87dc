import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { Latency } from './load-report.ts';

/** An hour. What takes longer counts as that. */
const mostMicroseconds = 3_600_000_000;

/** Times, to three digits. */
export class TimeHistogram {
  readonly #histogram: Histogram;

  private constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  static empty(): TimeHistogram {
    return new TimeHistogram(
      build({
        bitBucketSize: 32,
        autoResize: false,
        highestTrackableValue: mostMicroseconds,
        numberOfSignificantValueDigits: 3,
        useWebAssembly: false,
      }),
    );
  }

  /** Reads what `encode` has written. */
  static decode(text: string): TimeHistogram {
    return new TimeHistogram(decodeFromCompressedBase64(text, 32, false));
  }

  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(mostMicroseconds, Math.max(0, Math.round(ms * 1000))));
  }

  add(other: TimeHistogram): void {
    this.#histogram.add(other.#histogram);
  }

  clear(): void {
    this.#histogram.reset();
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** All but the count in ms. */
  summary(): Latency {
    const histogram = this.#histogram;
    const at = (percent: number): number => histogram.getValueAtPercentile(percent) / 1000;
    return {
      count: histogram.totalCount,
      mean: histogram.totalCount === 0 ? 0 : histogram.mean / 1000,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: histogram.maxValue / 1000,
    };
  }
}
