import type { LoadReport } from './load-report.ts';

/** How often things happened in a second while the load was on, by the names of the totals; empty when that is not known. */
export function loadRates({ load }: Pick<LoadReport, 'load'>): Readonly<Record<string, number>> {
  if (!load || load.to <= load.from) return {};
  const seconds = (load.to - load.from) / 1000;
  return Object.fromEntries(Object.entries(load.totals).map(([name, count]) => [name, count / seconds]));
}
