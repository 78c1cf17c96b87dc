import type { Timeline, Violation } from '../timeline.ts';

/** A session has two users, and each of them hears of it. */
export function checkSessions({ sessions, users, history }: Timeline): Violation[] {
  const violations: Violation[] = [];
  const rows = new Map(history.end.rows.map(row => [row.id, row]));
  const byUserId = new Map([...users.values()].flatMap(user => (user.userId ? [[user.userId, user]] : [])));
  for (const [session, stays] of sessions) {
    const between = [...new Set(stays.map(({ user }) => user))];
    const at = Math.min(...stays.map(({ from }) => from));
    if (between.length > 2) {
      const text = `Session ${session} has more than two users: ${between.join(', ')}.`;
      violations.push({ check: 'double session', at, text, users: between });
    }
    const [only] = stays;
    const row = rows.get(session);
    if (between.length !== 1 || !only?.matched || !row) continue;
    // The other one must have had a reason not to hear of it.
    const otherId = row.userA === users.get(only.user)?.userId ? row.userB : row.userA;
    const other = byUserId.get(otherId);
    const hearsWithinMs = history.settings.boundMs;
    const wasAway = other?.downs.some(([from, to]) => from <= at + hearsWithinMs && to >= at);
    if (other === undefined || (other.goneAt ?? Infinity) <= at + hearsWithinMs || wasAway) continue;
    const asked = other.events.some(
      ({ kind, at: askedAt, ...event }) =>
        kind === 'op' &&
        'op' in event &&
        event.op !== 'send' &&
        askedAt > at - hearsWithinMs &&
        askedAt < at + hearsWithinMs &&
        (event.op !== 'search' || askedAt > at),
    );
    if (asked) continue;
    const text = `Session ${session} has one side: ${only.user} was matched, and ${other.user}, who was there, never heard of it.`;
    violations.push({ check: 'one side', at, text, users: [only.user, other.user] });
  }
  return violations;
}
