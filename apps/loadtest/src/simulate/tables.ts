import { formatMs } from '../format.ts';
import type { Capacity } from './capacity.ts';
import type { MatchingFigures } from './matching-figures.ts';

export interface MatchingRow {
  users: number;
  pools: number;
  /** Left out for what is too large to be simulated. */
  figures?: MatchingFigures;
}

export function capacityTable(rows: readonly Capacity[]): string {
  const headings = ['users', 'searches/s', 'messages/s', 'Redis CPU', 'Redis memory', 'Redis network'];
  const more = ['nodes', 'their memory', 'facts/s', 'rows, a day', 'all resume'];
  return table(
    [...headings, ...more, 'primaries'],
    rows.map(each => [
      ...[count(each.users), count(each.searches), count(each.messages)],
      ...[percent(each.redisCores), bytes(each.redisBytes), `${bytes(each.redisNetworkBytes)}/s`],
      ...[count(each.nodes), bytes(each.nodeBytes), count(each.facts), bytes(each.postgresBytesPerDay)],
      ...[formatMs(each.stormSeconds * 1000), count(each.primaries)],
    ]),
  );
}

/** What Redis spends its CPU on. */
export function redisTable(rows: readonly Capacity[]): string {
  const parts = Object.keys(rows[0]?.redisParts ?? {}) as (keyof Capacity['redisParts'])[];
  return table(
    ['users', 'Redis CPU', ...parts],
    rows.map(each => [
      ...[count(each.users), percent(each.redisCores)],
      ...parts.map(part => percent(each.redisParts[part])),
    ]),
  );
}

export function matchingTable(rows: readonly MatchingRow[]): string {
  const waits = ['mean wait', 'by formula', '99 %', 'longest', 'longest/median'];
  return table(
    ['users', 'pools', 'searches/s in a pool', 'at once', ...waits, 'gave up', 'met nobody', 'same partner again'],
    rows.map(({ users, pools, figures }) => [
      count(users),
      count(pools),
      ...(figures ? matchingCells(figures) : ['too many users in a pool to simulate']),
    ]),
  );
}

function matchingCells(figures: MatchingFigures): string[] {
  return [
    count(figures.searchesPerSecond),
    percent(figures.atOnce),
    formatMs(figures.meanMs),
    formatMs(figures.expectedMeanMs),
    formatMs(figures.p99Ms),
    formatMs(figures.longestMs),
    count(figures.longestToMedian),
    percent(figures.gaveUp),
    percent(figures.metNobody),
    percent(figures.again),
  ];
}

/** A table in Markdown, which is also one on a terminal. */
function table(headings: string[], rows: string[][]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${widths.map((width, n) => (cells[n] ?? '').padStart(width)).join(' | ')} |`;
  const rule = `| ${widths.map(width => `${'-'.repeat(width - 1)}:`).join(' | ')} |`;
  return [line(headings), rule, ...rows.map(line)].join('\n');
}

function count(value: number): string {
  if (value < 100) return String(Number(value.toPrecision(2)));
  return Math.round(Number(value.toPrecision(3))).toLocaleString('en-GB');
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function bytes(value: number): string {
  const [unit, size] =
    value < 1e6 ? (['KB', 1e3] as const) : value < 1e9 ? (['MB', 1e6] as const) : (['GB', 1e9] as const);
  return `${Number((value / size).toPrecision(2))} ${unit}`;
}
