import { checkAbsences } from './checks/absences.ts';
import { checkComplaints } from './checks/complaints.ts';
import { checkEnded } from './checks/ended.ts';
import { checkLeftovers } from './checks/leftovers.ts';
import { checkMessages } from './checks/messages.ts';
import { checkOvertaken } from './checks/overtaken.ts';
import { checkReceipts } from './checks/receipts.ts';
import { checkResumed } from './checks/resumed.ts';
import { checkRows } from './checks/rows.ts';
import { checkSessions } from './checks/sessions.ts';
import { checkSilence } from './checks/silence.ts';
import { checkTokens } from './checks/tokens.ts';
import { checkTold } from './checks/told.ts';
import type { History } from './history.ts';
import { type Timeline, timelineOf, type Violation } from './timeline.ts';

export interface Verdict {
  timeline: Timeline;
  violations: Violation[];
  /** What no promise covers, by reason, and how often it was seen. */
  excused: Map<string, number>;
  /** How long users waited to be told that a chat is over, where nothing else hindered. */
  toldDelays: { at: number; ms: number }[];
}

/**
 * Whether it comes of users who are back where they were before, because Redis knew only of that. A session that goes on so begins
 * anew for its clients, and so do their numbers.
 */
function isForgotten({ check, at, text }: Violation, timeline: Timeline): boolean {
  const { leaseMs, graceMs } = timeline.history.settings;
  const isLost = timeline.faults.some(
    fault => fault.losesData && fault.at <= at && (fault.healedAt ?? Infinity) + leaseMs + graceMs >= at,
  );
  const isBackThere = check === 'uninvited' || isBack(text) || text.includes('REPLACED');
  return (isLost && isBackThere) || revived(timeline).some(session => text.includes(session));
}

function isBack(text: string): boolean {
  return /was matched twice|was put back/.test(text);
}

/** The sessions that went on for a user for whom they had been over, as Redis had lost the end. */
function revived({ violations, faults }: Timeline): string[] {
  if (!faults.some(({ losesData }) => losesData)) return [];
  return violations.flatMap(({ text }) => (isBack(text) ? (/session ([\w-]+)/.exec(text)?.[1] ?? []) : []));
}

/** Holds a history against what must never happen. Depends on nothing else, so it can be repeated. */
export function check(history: History): Verdict {
  const timeline = timelineOf(history);
  const excused = new Map<string, number>();
  const excuse = (reason: string) => void excused.set(reason, (excused.get(reason) ?? 0) + 1);
  const told = checkTold(timeline, excuse);
  const absences = checkAbsences(timeline);
  const all = [
    ...timeline.violations,
    ...checkSessions(timeline, excuse),
    ...checkMessages(timeline, excuse),
    ...told.violations,
    ...absences.violations,
    ...checkReceipts(timeline),
    ...checkEnded(timeline, excuse),
    ...checkResumed(timeline, excuse),
    ...checkOvertaken(timeline),
    ...checkTokens(timeline, excuse),
    ...checkSilence(timeline, excuse),
    ...checkRows(timeline, excuse),
    ...checkLeftovers(timeline),
    ...checkComplaints(timeline),
  ].toSorted((one, other) => one.at - other.at);
  const violations = all.filter(violation => !isForgotten(violation, timeline));
  for (let count = violations.length; count < all.length; count++) {
    excuse('oddities of users who were put back to where they were before, because Redis lost its newest data');
  }
  return { timeline, violations, excused, toldDelays: [...told.delays, ...absences.delays] };
}
