import {
  endOfStay,
  nodeAt,
  partnerOf,
  restoredAt,
  type Stay,
  type Timeline,
  touchesOf,
  type UserTimeline,
  type Violation,
} from '../timeline.ts';

/** What was on its way when a fault began may be lost with it. */
const onItsWayMs = 1000;

/** A session has two users, who are there, and each of them hears of it. */
export function checkSessions(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { sessions, rows } = timeline;
  const violations: Violation[] = [];
  for (const [session, stays] of sessions) {
    const between = [...new Set(stays.map(({ user }) => user))];
    const at = Math.min(...stays.map(({ from }) => from));
    if (between.length > 2) {
      const text = `Session ${session} has more than two users: ${between.join(', ')}.`;
      violations.push({ check: 'double session', at, text, users: between });
    }
    const [only] = stays;
    if (between.length !== 1 || !only?.matched || !rows.has(session)) continue;
    const other = partnerOf(only.user, session, timeline);
    const users = [only.user, ...(other ? [other.user] : [])];
    const absentSince = other && absenceAt(at, other, timeline);
    // The word of a match may come late.
    const madeAt = Math.min(at, (rows.get(session)?.startedAt ?? Infinity) - timeline.epochMs);
    if (absentSince !== undefined && other && madeAt > knownBy(absentSince, other, timeline)) {
      const text = `${only.user} was matched in session ${session} with ${other.user}, who had been gone for ${((at - absentSince) / 1000).toFixed(1)} s.`;
      violations.push({ check: 'nobody there', at, text, users });
      continue;
    }
    const why = whyUnheard(only, other, madeAt, timeline);
    if (why) excuse(`sessions that one side never heard of, because ${why}`);
    else {
      const text = `Session ${session} has one side: ${only.user} was matched, and ${other?.user}, who was there, never heard of it.`;
      violations.push({ check: 'one side', at, text, users });
    }
  }
  return violations;
}

/** Since when the user had been gone, or without a connection, when they were matched. */
function absenceAt(at: number, { goneAt, downs }: UserTimeline, { history }: Timeline): number | undefined {
  const absences: [number, number][] = [
    ...downs,
    ...(goneAt === undefined ? [] : [[goneAt, Infinity] as [number, number]]),
  ];
  return absences.find(([from, to]) => from <= at + history.settings.boundMs && to >= at)?.[0];
}

/** By when nobody may be matched any more with a user who is gone: their node tells, or loses its lease. */
function knownBy(goneAt: number, other: UserTimeline, timeline: Timeline): number {
  const { faults, stalls, history } = timeline;
  const { boundMs, leaseMs } = history.settings;
  let deadline = goneAt + boundMs;
  for (const fault of faults) {
    const { at, healedAt = Infinity, redis, losesData } = fault;
    if (at > deadline || healedAt < goneAt || !(redis || touchesOf(fault, other).length > 0)) continue;
    const until = losesData ? restoredAt(fault, nodeAt(other, goneAt), timeline) + leaseMs : healedAt;
    deadline = Math.max(deadline, until + boundMs);
  }
  for (const { at, ms } of stalls) if (at >= goneAt && at <= deadline) deadline += ms;
  return deadline;
}

/** The reason that whoever did not hear of the match must have had; undefined without one. */
function whyUnheard(
  only: Stay,
  other: UserTimeline | undefined,
  madeAt: number,
  timeline: Timeline,
): string | undefined {
  const { boundMs: hearsWithinMs } = timeline.history.settings;
  const at = only.from;
  if (!other) return 'it was gone before it heard who it is';
  if (absenceAt(at, other, timeline) !== undefined) return 'it had just lost the connection, or was about to';
  const asked = other.events.some(
    event =>
      event.kind === 'op' && (event.op === 'end' || event.op === 'skip') && Math.abs(event.at - at) < hearsWithinMs,
  );
  if (asked) return 'it left at that moment';
  const lost = timeline.faults.some(
    f => f.losesData && f.at <= at + hearsWithinMs && (f.healedAt ?? Infinity) >= at - onItsWayMs,
  );
  if (lost) return 'Redis lost its data in that moment';
  // Its connection went with its node, perhaps, before that could tell it.
  const lostAt = Math.min(other.goneAt ?? Infinity, ...other.downs.map(([from]) => from).filter(from => from >= at));
  const missed = timeline.faults.some(fault => {
    if (fault.at - onItsWayMs > at || !(fault.redis || touchesOf(fault, other).length > 0)) return false;
    const heardAt = restoredAt(fault, nodeAt(other, at), timeline);
    return heardAt >= madeAt && Math.min(endOfStay(only), lostAt) <= heardAt;
  });
  // Its node, once it hears again, asks for what it missed: and finds nothing if the session has ended by then.
  return missed ? 'its node was cut off from their begin to their end' : undefined;
}
