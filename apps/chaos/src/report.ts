import type { Verdict } from './check.ts';
import type { FaultEvent, HistoryEvent } from './history.ts';
import type { Violation } from './timeline.ts';

const mostViolations = 12;
const mostEvents = 16;
const aroundMs = 3000;
const longWaitMs = 1000;
/** So many facts wait for the next batch at any time. */
const fewFacts = 20;
/** What happens this long after a fault was healed still counts to it. */
const aftermathMs = 3000;

/** What a run showed, as a person reads it. */
export function report({ timeline, violations, excused, toldDelays }: Verdict): string {
  const { history, faults, users, sessions } = timeline;
  const table = [
    ['fault', 'times', 'ok', 'failed', 'unknown', 'told after', 'back after', 'violations'],
    ...groups(faults).map(([name, windows]) => {
      const inside = ({ at }: { at: number }) => windows.some(([from, to]) => at >= from && at <= to);
      const operations = history.events.filter(event => event.kind === 'op').filter(inside);
      const count = (outcome: string) => String(operations.filter(operation => operation.outcome === outcome).length);
      const downs = [...users.values()].flatMap(user => user.downs.map(([at, to]) => ({ at, ms: to - at })));
      return [
        ...[name, String(windows.length), count('ok'), count('failed'), count('unknown')],
        ...[worst(toldDelays.filter(inside)), worst(downs.filter(inside))],
        String(violations.filter(inside).length),
      ];
    }),
  ];
  const messages = history.events.filter(event => event.kind === 'shown').length;
  const stalls = history.events.filter(event => event.kind === 'stall');
  const kinds = grouped(violations, ({ check }) => check);
  const lines = [
    columns(table),
    '',
    `${faults.filter(({ part }) => !part).length} faults, ${users.size} users, ${sessions.size} sessions, ${messages} messages shown.`,
    `Longest until told that a chat is over, where no other fault hindered: ${worst(toldDelays)}.`,
    tokenFigures(timeline),
    waitingFigures(timeline),
    recordingFigures(timeline),
    ...(stalls.length > 0
      ? [`This process itself stood still ${stalls.length} times, at worst for ${worst(stalls)}.`]
      : []),
    ...[...excused].map(([reason, count]) => `Not covered by any promise: ${count} ${reason}.`),
    violations.length === 0
      ? 'No violation.'
      : `${violations.length} violations: ${[...kinds].map(([kind, all]) => `${all.length} × ${kind}`).join(', ')}.`,
  ];
  return lines.join('\n');
}

/** The violations, each with what its users did and saw around it. */
export function explain({ timeline, violations }: Verdict): string {
  const shown = violations.slice(0, mostViolations).map(violation => {
    const around = [...timeline.faults, ...violation.users.flatMap(user => timeline.users.get(user)?.events ?? [])]
      .filter(event => isAround(event, violation))
      .toSorted((one, other) => one.at - other.at);
    const nearest = around.toSorted((one, other) => distance(one, violation) - distance(other, violation));
    const few = new Set(nearest.slice(0, mostEvents));
    const lines = around.filter(event => few.has(event)).map(event => `    ${describeEvent(event)}`);
    return [`${violation.check} at ${seconds(violation.at)}: ${violation.text}`, ...lines].join('\n');
  });
  const more = violations.length - shown.length;
  return [...shown, ...(more > 0 ? [`… and ${more} more.`] : [])].join('\n\n');
}

/** How often two connections had one token, and somebody an old one. */
function tokenFigures({ users }: Verdict['timeline']): string {
  const events = [...users.values()].flatMap(user => user.events);
  const closings = [...users.values()].flatMap(({ events, ups }) =>
    events.flatMap(event => {
      const up = event.kind === 'closed' && event.how === 'replaced' && ups.findLast(({ at }) => at <= event.at);
      const copied = up && events.findLast(({ kind, at }) => kind === 'copied' && at <= event.at);
      return up && copied && up.at >= copied.at ? [{ ms: event.at - up.at }] : [];
    }),
  );
  const copies = events.filter(({ kind }) => kind === 'copied').length;
  const shown = events.filter(({ kind }) => kind === 'stranger').length;
  return `${copies} tabs were copied, and the first one was closed at most ${worst(closings)} after the copy was there; an old token was shown ${shown} times.`;
}

/** How long users waited for a partner, and how often they lost the connection meanwhile. */
function waitingFigures({ users }: Verdict['timeline']): string {
  const waits = [...users.values()].flatMap(({ waits, downs }) =>
    waits.map(([from, to]) => ({
      ms: to - from,
      downs: downs.filter(([at, until]) => at >= from && until < to).length,
    })),
  );
  const long = waits.filter(({ ms }) => ms >= longWaitMs).length;
  const downs = waits.reduce((sum, wait) => sum + wait.downs, 0);
  return `${long} times somebody waited for more than ${longWaitMs / 1000} s, at most for ${worst(waits)}; ${downs} times somebody was away and still waited when back.`;
}

/** What became of the facts for PostgreSQL. */
function recordingFigures({ history, faults }: Verdict['timeline']): string {
  const { rows } = history.end;
  const counts = history.events.filter(event => event.kind === 'outbox');
  const most = counts.reduce((highest, { waiting }) => Math.max(highest, waiting), 0);
  const lags = faults.flatMap(({ recording, healedAt }) => {
    const caughtUp = counts.find(({ at, waiting }) => healedAt !== undefined && at >= healedAt && waiting <= fewFacts);
    return recording && caughtUp && healedAt !== undefined ? [{ ms: caughtUp.at - healedAt }] : [];
  });
  const open = rows.filter(({ endedAt }) => endedAt === null).length;
  return (
    `${rows.length} rows, ${open} of them open. At most ${most} facts waited to be recorded; ` +
    `longest until hardly any did after a fault of recording was healed: ${worst(lags)}.`
  );
}

function isAround(event: HistoryEvent, violation: Violation): boolean {
  const until = event.kind === 'fault' ? (event.healedAt ?? Infinity) : event.at;
  return event.at <= violation.at + aroundMs && until >= violation.at - aroundMs;
}

function distance(event: HistoryEvent, violation: Violation): number {
  // What was said tells less than what was done.
  const dull = (event.kind === 'op' && event.op === 'send') || event.kind === 'shown';
  return Math.abs(event.at - violation.at) + (dull && event.at !== violation.at ? aroundMs : 0);
}

function describeEvent(event: HistoryEvent): string {
  const { kind, at, ...details } = event;
  const end = 'endedAt' in details ? details.endedAt : 'healedAt' in details ? details.healedAt : undefined;
  const rest = Object.entries(details).filter(([name, value]) => {
    if (name === 'endedAt' || name === 'healedAt' || value === false) return false;
    return !(Array.isArray(value) && value.length === 0);
  });
  const words = rest.map(([name, value]) => (name === 'user' ? value : `${name}=${JSON.stringify(value)}`));
  return [seconds(at), kind, ...words, ...(end === undefined ? [] : [`until ${seconds(end)}`])].join(' ');
}

function groups(faults: readonly FaultEvent[]): [string, [number, number][]][] {
  const byName = grouped(
    faults.filter(({ part }) => !part),
    ({ name }) => name,
  );
  return [...byName]
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, all]) => [name, all.map(({ at, healedAt = Infinity }) => [at, healedAt + aftermathMs])]);
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function worst(delays: readonly { ms: number }[]): string {
  return delays.length === 0 ? '–' : seconds(delays.reduce((most, { ms }) => Math.max(most, ms), 0));
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? [];
  return rows
    .map(row =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}
