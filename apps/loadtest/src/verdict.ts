import { formatCount, formatMs, formatShare, printable } from './format.ts';
import type { LoadReport } from './load-report.ts';
import { serverTotals } from './server-totals.ts';
import { wholeSeconds } from './thin-samples.ts';

/** A process that uses this share of its core, or whose event loop is this late, measures its own waiting too. */
const busyShare = 0.9;
const lateMs = 50;
/** One busy second now and then says nothing. */
const busyPart = 0.1;

export interface Verdict {
  /** False if a promise was broken, users were left behind or nobody could connect. Errors alone do not fail a run. */
  readonly passed: boolean;
  /** Sentences; the first says whether it passed. */
  readonly sentences: readonly string[];
}

/** What a run means. */
export function verdict(report: LoadReport): Verdict {
  const failure = whyFailed(report);
  const { errors, limit } = report;
  const sentences = [
    failure === undefined ? whatPassed(report) : `Failed: ${failure}`,
    ...(report.interrupted ? [`It was interrupted after ${formatMs(report.durationMs)}.`] : []),
    ...(limit ? [`The limit is ${limitFound(limit)}: ${asEnd(limit.because)}`] : []),
    ...idleServers(report),
    ...(total(errors) > 0 ? [`${plural(total(errors), 'error')}: ${byKind(errors)}.`] : []),
    ...busyLoader(report),
  ];
  return { passed: failure === undefined, sentences };
}

/** All counts of a record together. */
export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function whyFailed({ mismatches, totals, stranded }: LoadReport): string | undefined {
  if (total(mismatches) > 0) return `${plural(total(mismatches), 'mismatch', 'es')}: ${byKind(mismatches)}.`;
  if (totals.connects === 0) return 'nobody could connect.';
  const { users, away, waiting } = stranded ?? { users: 0, away: 0, waiting: 0 };
  if (away > 0) return `${formatCount(away)} of ${plural(users, 'user')} were not back.`;
  // Whoever waits is matched with the next: one may be left.
  if (waiting > 1) return `${formatCount(waiting)} of ${plural(users, 'user')} were still waiting.`;
  return undefined;
}

function whatPassed({ totals, scenario }: LoadReport): string {
  if (totals.delivered > 0) {
    return `Passed: ${formatCount(totals.delivered)} messages arrived, each in the right chat, once and in order.`;
  }
  return totals.sent > 0
    ? 'Passed, but no message arrived.'
    : `Passed: nothing went wrong in “${printable(scenario)}”.`;
}

function limitFound({ found, steps }: NonNullable<LoadReport['limit']>): string {
  return `${formatCount(found)} ${printable(steps.at(-1)?.unit ?? '')}`.trimEnd();
}

/** A limit of servers that had nothing to do is the limit of something else. */
function idleServers({ limit, ...report }: LoadReport): string[] {
  const servers = serverTotals(report);
  const peak = Math.max(0, ...servers.map(({ peakCpu }) => peakCpu));
  if (!limit?.steps.some(({ saturated }) => saturated === 'server') || servers.length === 0 || peak >= busyShare / 2) {
    return [];
  }
  return [
    `No server here used more than ${formatShare(peak)} of a core, so it was something else that could do no more: ` +
      'other programs on this machine, perhaps, or a network between them.',
  ];
}

function busyLoader(report: LoadReport): string[] {
  const samples = wholeSeconds(report.samples);
  const busy = samples.filter(({ loader }) => loader.cpu >= busyShare || loader.loopDelayMs >= lateMs).length;
  if (busy === 0 || busy < samples.length * busyPart) return [];
  return [
    `The load tester itself was busy in ${busy} of ${samples.length} seconds, so the servers may be faster than this: ` +
      'use more workers, or another machine.',
  ];
}

function byKind(counts: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(counts).filter(([, count]) => count > 0);
  return kinds
    .toSorted(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${formatCount(count)} × ${printable(kind)}`)
    .join(', ');
}

function asEnd(sentence: string): string {
  const text = printable(sentence).trim().replace(/\.*$/, '.');
  return /^[A-Z][a-z' ]/.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
}

function plural(count: number, word: string, ending = 's'): string {
  return `${formatCount(count)} ${word}${count === 1 ? '' : ending}`;
}
