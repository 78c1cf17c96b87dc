import type { Trial } from './trial.ts';

const columns: [title: string, width: number, of: (trial: Trial) => string][] = [
  ['attack', -30, ({ name }) => name],
  ['packets', 9, ({ packets }) => String(packets)],
  ['kB sent', 9, ({ bytes }) => (bytes / 1000).toFixed(0)],
  ['CPU ms', 8, ({ cpuMs }) => cpuMs.toFixed(0)],
  ['ns/byte', 9, ({ cpuNsPerByte }) => cpuNsPerByte.toFixed(0)],
  ['× honest', 9, ({ timesHonest }) => timesHonest.toFixed(1)],
  ['Redis/kB', 9, ({ redisPerKb }) => redisPerKb.toFixed(2)],
  ['RSS peak', 9, ({ rssPeakBytes }) => megabytes(rssPeakBytes)],
  ['after', 6, ({ after }) => megabytes(after?.rssBytes)],
  ['kept', 5, ({ after }) => megabytes(after?.keptBytes)],
  ['p50, p99 before', 16, ({ before }) => `${before.p50.toFixed(1)}, ${before.p99.toFixed(1)}`],
  ['during', 16, ({ during }) => `${during.p50.toFixed(1)}, ${during.p99.toFixed(1)}`],
  ['', 2, ({ failures }) => (failures.length > 0 ? 'FAILED' : 'ok')],
];

/** What the columns mean is in CONTRIBUTING.md. */
export const tableHead = line(columns.map(([title, width]) => [title, width]));

export function tableRow(trial: Trial): string {
  return line(columns.map(([, width, of]) => [of(trial), width]));
}

function line(cells: [text: string, width: number][]): string {
  return cells.map(([text, width]) => (width < 0 ? text.padEnd(-width) : text.padStart(width))).join(' ');
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '-' : (bytes / 1e6).toFixed(0);
}
