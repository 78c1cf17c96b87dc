import { formatBytes, formatCount, formatMs, formatShare, printable } from './format.ts';
import type { LoadReport } from './load-report.ts';
import { serverTotals } from './server-totals.ts';
import { verdict } from './verdict.ts';

/** What a run showed, as tables for a terminal or a log: no colours, and the verdict at the end. */
export function summary(report: LoadReport): string {
  const { scenario, targets, durationMs, samples } = report;
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
  return [
    `${printable(scenario)}, ${formatMs(durationMs)}, against ${targets.map(printable).join(', ')}`,
    ...tables.filter(table => table.length > 1).map(columns),
    `The busiest process of the load tester used up to ${formatShare(peak('cpu'))} of a core; its event loop was up to ` +
      `${formatMs(peak('loopDelayMs'))} late.`,
    verdict(report).sentences.join('\n'),
  ].join('\n\n');
}

type Row = readonly string[];

function totals({ totals, durationMs }: LoadReport): Row[] {
  const rows = Object.entries(totals).filter(([, count]) => count > 0);
  const perSecond = (count: number): string => formatCount(durationMs > 0 ? (count * 1000) / durationMs : 0);
  return [['', 'in all', 'per second'], ...rows.map(([name, count]) => [name, formatCount(count), perSecond(count)])];
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

function servers({ samples }: LoadReport): Row[] {
  const rows = serverTotals(samples).map(({ name, meanCpu, peakCpu, peakBytes }) => [
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
