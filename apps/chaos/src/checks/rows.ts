import type { SessionRow } from '../history.ts';
import { endOfStay, type Timeline, type Violation } from '../timeline.ts';

/** A fact is recorded within this, if nothing hinders; what Redis loses is what was not recorded by then. */
const recordedWithinMs = 3000;

/** A match may be told so long after it was made, and Redis have lost it by then. */
const toldLaterMs = 1000;

/** Each session has one row, which is closed, with the right users; and no user has two at once. */
export function checkRows(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { history, sessions, users, faults } = timeline;
  const violations: Violation[] = [];
  const rows = new Map(history.end.rows.map(row => [row.id, row]));
  for (const [session, stays] of sessions) {
    const at = Math.min(...stays.map(({ from }) => from));
    const until = Math.max(...stays.map(endOfStay));
    const between = stays.map(({ user }) => user);
    const row = rows.get(session);
    const wrong =
      row === undefined
        ? 'has no row'
        : problemOf(
            row,
            between.map(user => users.get(user)?.userId),
          );
    if (wrong === undefined) continue;
    const outageMs = Math.max(
      0,
      ...faults.filter(({ recording }) => recording).map(f => (f.healedAt ?? Infinity) - f.at),
    );
    const lost = faults.some(
      f => f.losesData && f.at >= at - toldLaterMs && f.at <= until + recordedWithinMs + outageMs,
    );
    if (row === undefined && lost) excuse('sessions not recorded, because Redis lost its data while they lasted');
    else
      violations.push({
        check: 'record',
        at,
        text: `Session ${session} of ${between.join(' and ')} ${wrong}.`,
        users: between,
      });
  }
  for (const row of history.end.rows) {
    if (sessions.has(row.id)) continue;
    excuse('sessions in the record that no client saw, because both were gone before they heard of them');
    const wrong = problemOf(row, []);
    if (wrong)
      violations.push({ check: 'record', at: 0, text: `Session ${row.id}, which no client saw, ${wrong}.`, users: [] });
  }
  return [...violations, ...overlaps(timeline, excuse)];
}

function problemOf(row: SessionRow, userIds: (string | undefined)[]): string | undefined {
  if (row.endedAt === null) return 'has a row that is still open';
  if (row.endedAt < row.startedAt) return 'ended before it began, by its row';
  const wrong = userIds.find(id => id !== undefined && id !== row.userA && id !== row.userB);
  return wrong === undefined ? undefined : `has a row of others: ${row.userA} and ${row.userB}`;
}

function overlaps({ history, users }: Timeline, excuse: (reason: string) => void): Violation[] {
  const names = new Map([...users.values()].map(({ userId, user }) => [userId, user]));
  const byUser = new Map<string, SessionRow[]>();
  for (const row of history.end.rows) {
    for (const user of [row.userA, row.userB]) byUser.set(user, [...(byUser.get(user) ?? []), row]);
  }
  const violations: Violation[] = [];
  for (const [userId, rows] of byUser) {
    const sorted = rows.toSorted((one, other) => one.startedAt - other.startedAt);
    for (const [index, row] of sorted.entries()) {
      const next = sorted[index + 1];
      if (!next || row.endedAt === null || next.startedAt >= row.endedAt) continue;
      if (row.endReason === 'lost') {
        excuse('sessions whose end was lost with the data of Redis, so that their rows were closed later');
        continue;
      }
      const user = names.get(userId) ?? userId;
      const text = `${user} is in two rows at once: sessions ${row.id} and ${next.id}.`;
      violations.push({ check: 'double session', at: 0, text, users: [user] });
    }
  }
  return violations;
}
