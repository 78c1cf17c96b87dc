import type { LoadReport } from './load-report.ts';
import { wholeSeconds } from './thin-samples.ts';

/** What one server used over a run. */
export interface ServerTotals {
  readonly name: string;
  /** Shares of one core; the mean is of the time in which the load was on, if that is known. */
  readonly meanCpu: number;
  readonly peakCpu: number;
  readonly peakBytes: number;
}

/** Each server that was seen, in the order of its first sample. */
export function serverTotals({ samples: all, load }: Pick<LoadReport, 'samples' | 'load'>): ServerTotals[] {
  // Without rests that are too short to measure CPU time in.
  const samples = wholeSeconds(all);
  const names = new Set(samples.flatMap(({ servers }) => servers.map(({ name }) => name)));
  return [...names].map(name => {
    const own = samples.flatMap(({ at, servers }) =>
      servers.filter(server => server.name === name).map(server => ({ ...server, at })),
    );
    // The last sample under load ends just after it.
    const last = load && samples.find(({ at }) => at >= load.to)?.at;
    const underLoad = load ? own.filter(({ at }) => at > load.from && at <= (last ?? load.to)) : own;
    const peak = (of: (server: (typeof own)[number]) => number): number =>
      own.reduce((most, server) => Math.max(most, of(server)), 0);
    return {
      name,
      meanCpu: underLoad.reduce((sum, { cpu }) => sum + cpu, 0) / Math.max(1, underLoad.length),
      peakCpu: peak(({ cpu }) => cpu),
      peakBytes: peak(({ rssBytes }) => rssBytes),
    };
  });
}
