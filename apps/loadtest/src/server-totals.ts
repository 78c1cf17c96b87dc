import type { Sample } from './load-report.ts';
import { thinSamples } from './thin-samples.ts';

/** What one server used over a run. */
export interface ServerTotals {
  readonly name: string;
  /** Shares of one core. */
  readonly meanCpu: number;
  readonly peakCpu: number;
  readonly peakBytes: number;
}

/** Each server that was seen, in the order of its first sample. */
export function serverTotals(all: readonly Sample[]): ServerTotals[] {
  // Without a rest at the end that is too short to measure CPU time in.
  const { samples } = thinSamples(all, all.length);
  const names = new Set(samples.flatMap(({ servers }) => servers.map(({ name }) => name)));
  return [...names].map(name => {
    const own = samples.flatMap(({ servers }) => servers.filter(server => server.name === name));
    const peak = (of: (server: (typeof own)[number]) => number): number =>
      own.reduce((most, server) => Math.max(most, of(server)), 0);
    return {
      name,
      meanCpu: own.reduce((sum, { cpu }) => sum + cpu, 0) / own.length,
      peakCpu: peak(({ cpu }) => cpu),
      peakBytes: peak(({ rssBytes }) => rssBytes),
    };
  });
}
