import { formatBytes, formatCount, formatMs, formatShare, printable } from './format.ts';
import { loadRates } from './load-rates.ts';
import type { LoadReport } from './load-report.ts';
import { serverTotals } from './server-totals.ts';
import { wholeSeconds } from './thin-samples.ts';
import { verdict } from './verdict.ts';

/** What a run showed, as tables for a terminal or a log: no colours, and the verdict at the end. */
export function summary(report: LoadReport): string {
  const { scenario, targets, durationMs, load } = report;
  const samples = wholeSeconds(report.samples);
  const tables = [
    totals(report),
    latencies(report),
    counts('errors', report.errors),
    counts('mismatches', report.mismatches),
    servers(report),
    limitSteps(report),
  ];
  const peak = (of: 'cpu' | 'loopDelayMs'): number =>
    samples.reduce((most, { loader }) => Math.max(most, loader[of]), 0);
  const loadTime = load ? `, ${formatMs(load.to - load.from)} of it under load` : '';
  return [
    `${printable(scenario)}, ${formatMs(durationMs)}${loadTime}, against ${targets.map(printable).join(', ')}`,
    ...tables.filter(table => table.length > 1).map(columns),
    `The busiest process of the load tester used up to ${formatShare(peak('cpu'))} of a core; its event loop was up to ` +
      `${formatMs(peak('loopDelayMs'))} late.`,
    verdict(report).sentences.join('\n'),
  ].join('\n\n');
}

type Row = readonly string[];

function totals(report: LoadReport): Row[] {
  const rows = Object.entries(report.totals).filter(([, count]) => count > 0);
  const rates = loadRates(report);
  if (Object.keys(rates).length === 0)
    return [['', 'in all'], ...rows.map(([name, count]) => [name, formatCount(count)])];
  const perSecond = (name: string): string => (rates[name] === undefined ? '' : formatCount(rates[name]));
  return [
    ['', 'in all', 'per second under load'],
    ...rows.map(([name, count]) => [name, formatCount(count), perSecond(name)]),
  ];
}

function latencies({ latencies }: LoadReport): Row[] {
  const rows = Object.entries(latencies).filter(([, { count }]) => count > 0);
  return [
    ['latency', 'count', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    ...rows.map(([name, { count, mean, p50, p90, p99, p999, max }]) => [
      ...[name, formatCount(count)],
      ...[mean, p50, p90, p99, p999, max].map(formatMs),
    ]),
  ];
}

function counts(title: string, byKind: Readonly<Record<string, number>>): Row[] {
  const rows = Object.entries(byKind).filter(([, count]) => count > 0);
  return [[title, ''], ...rows.map(([kind, count]) => [printable(kind), formatCount(count)])];
}

function servers(report: LoadReport): Row[] {
  const rows = serverTotals(report).map(({ name, meanCpu, peakCpu, peakBytes }) => [
    ...[printable(name), formatShare(meanCpu), formatShare(peakCpu), formatBytes(peakBytes)],
  ]);
  return [['server', 'CPU, mean', 'CPU, peak', 'memory, peak'], ...rows];
}

function limitSteps({ limit }: LoadReport): Row[] {
  const steps = limit?.steps ?? [];
  const rows = steps.map(({ rate, p99, saturated }) => [formatCount(rate), formatMs(p99), saturated]);
  return [[printable(steps[0]?.unit ?? ''), 'p99', 'saturated'], ...rows];
}

function columns(rows: readonly Row[]): string {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0))) ?? [];
  const cell = (text: string, at: number): string =>
    at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0);
  return rows.map(row => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}
