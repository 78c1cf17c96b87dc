import { isMet, type Row, ratiosOf } from './row.ts';
import { spreadOf } from './spread.ts';

const heads = ['what', 'unit', 'Passerby', 'compared with', '', 'ratio', 'goal', 'met'];

/** The rows as a table in Markdown: each figure as its median, with the least and the greatest. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(row => [
    row.what,
    row.unit,
    figure(row.ours),
    row.other?.name ?? '',
    figure(row.other?.values ?? []),
    figure(ratiosOf(row)),
    goal(row),
    { true: 'yes', false: 'NO' }[String(isMet(row))] ?? '',
  ]);
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map(line => line[column]?.length ?? 0)));
  const print = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [print(heads), print(widths.map(width => '-'.repeat(width))), ...lines.map(print)].join('\n');
}

function figure(values: readonly number[]): string {
  if (values.length === 0) return '';
  const { min, median, max } = spreadOf(values);
  return values.length === 1 ? number(median) : `${number(median)} (${number(min)}–${number(max)})`;
}

/** Three digits that count. */
function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function goal({ goal, unit }: Row): string {
  if (!goal) return '';
  const of = goal.of === 'ratio' ? '×' : ` ${unit}`;
  const bound = goal.atMost ?? goal.atLeast ?? Number.NaN;
  return `at ${goal.atMost === undefined ? 'least' : 'most'} ${Number(bound.toFixed(2))}${of}`;
}
