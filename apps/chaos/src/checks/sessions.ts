import { endOfStay, nodeAt, type Timeline, type Violation } from '../timeline.ts';

/** What was on its way when a fault began may be lost with it. */
const onItsWayMs = 1000;

/** A session has two users, and each of them hears of it. */
export function checkSessions(
  { sessions, users, faults, history }: Timeline,
  excuse: (reason: string) => void,
): Violation[] {
  const { boundMs: hearsWithinMs, leaseMs } = history.settings;
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
    const wasAway = other?.downs.some(([from, to]) => from <= at + hearsWithinMs && to >= at);
    if (other === undefined || (other.goneAt ?? Infinity) <= at + hearsWithinMs || wasAway) continue;
    const asked = other.events.some(
      event =>
        event.kind === 'op' && (event.op === 'end' || event.op === 'skip') && Math.abs(event.at - at) < hearsWithinMs,
    );
    if (asked) continue;
    const lost = faults.some(
      f => f.losesData && f.at <= at + hearsWithinMs && (f.healedAt ?? Infinity) >= at - onItsWayMs,
    );
    if (lost) {
      excuse('sessions that one side never heard of, because Redis lost its data in that moment');
      continue;
    }
    const node = nodeAt(other, at);
    const missed = faults.some(
      ({ at: from, healedAt = Infinity, redis, halts, cuts }) =>
        (redis || (node !== undefined && (halts.includes(node) || cuts.includes(node)))) &&
        from - onItsWayMs <= at &&
        healedAt + leaseMs >= at &&
        endOfStay(only) <= healedAt + leaseMs,
    );
    // Its node, once it hears again, asks for what it missed: and finds nothing if the session has ended by then.
    if (missed) {
      excuse('sessions that one side never heard of, because its node was cut off from their begin to their end');
      continue;
    }
    const text = `Session ${session} has one side: ${only.user} was matched, and ${other.user}, who was there, never heard of it.`;
    violations.push({ check: 'one side', at, text, users: [only.user, other.user] });
  }
  return violations;
}
