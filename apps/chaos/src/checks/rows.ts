import { heardBy } from '../deadline.ts';
import type { FaultEvent, SessionRow } from '../history.ts';
import { endOfStay, nodeAt, restoredAt, type Stay, type Timeline, type Violation } from '../timeline.ts';

/** A fact is recorded within this, if nothing hinders; what Redis loses is what was not recorded by then. */
const recordedWithinMs = 3000;

/** A match may be told so long after it was made, and Redis have lost it by then. */
const toldLaterMs = 1000;

/** Each session has one row, which is closed, with the right users; and no user has two at once. */
export function checkRows(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { history, sessions, users, rows } = timeline;
  const violations: Violation[] = [];
  for (const [session, stays] of sessions) {
    const between = stays.map(({ user }) => user);
    const row = rows.get(session);
    const lost = wasLost(session, timeline);
    if (row === undefined && lost) {
      excuse('sessions not recorded, because Redis lost its data while they lasted');
      continue;
    }
    const userIds = between.map(user => users.get(user)?.userId);
    const wrong = row === undefined ? 'has no row' : problemOf(row, userIds, lost);
    if (wrong === undefined) continue;
    const at = Math.min(...stays.map(({ from }) => from));
    violations.push({
      check: 'record',
      at,
      text: `Session ${session} of ${between.join(' and ')} ${wrong}.`,
      users: between,
    });
  }
  for (const row of history.end.rows) {
    if (row.endReason === 'lost' && wasLost(row.id, timeline))
      excuse('sessions whose end Redis lost with its data, so that their rows were closed later');
    if (sessions.has(row.id)) continue;
    excuse('sessions in the record that no client saw, because both were gone before they heard of them');
    const wrong = problemOf(row, [], wasLost(row.id, timeline));
    if (wrong)
      violations.push({ check: 'record', at: 0, text: `Session ${row.id}, which no client saw, ${wrong}.`, users: [] });
  }
  return [...violations, ...overlaps(timeline, excuse)];
}

/** Whether Redis lost its data while the session lasted, or before all of it was recorded. */
function wasLost(session: string, timeline: Timeline): boolean {
  const { sessions, rows, usersById, faults, epochMs } = timeline;
  const stays = sessions.get(session) ?? [];
  const row = rows.get(session);
  const startedAt = Math.min(...stays.map(({ from }) => from), (row?.startedAt ?? Infinity) - epochMs);
  // Of a session that nobody saw it is only known that its users were gone.
  const gone = [row?.userA, row?.userB].map(id => foundOutBy(usersById.get(id ?? '')?.goneAt ?? Infinity, timeline));
  const until =
    stays.length > 0 ? Math.max(...stays.map(stay => endedBy(stay, timeline))) : Math.max(startedAt, ...gone);
  const outages = faults.filter(({ recording }) => recording).map(({ at, healedAt = Infinity }) => healedAt - at);
  const recordedAt = until + recordedWithinMs + Math.max(0, ...outages);
  // Until all nodes have told what they know, one of them may end what Redis has begun meanwhile.
  const nodes = stays.flatMap(({ user }) => timeline.users.get(user)?.ups ?? []).map(({ node }) => node);
  const knownAt = (fault: FaultEvent) =>
    Math.max(...[undefined, ...nodes].map(node => restoredAt(fault, node, timeline)));
  return faults.some(fault => fault.losesData && knownAt(fault) >= startedAt - toldLaterMs && fault.at <= recordedAt);
}

/** By when Redis knew that it is over for this user. Whoever is lost with a node is found out later, and is then expected back. */
function endedBy(stay: Stay, timeline: Timeline): number {
  const at = endOfStay(stay);
  return at === stay.goneAt ? foundOutBy(at, timeline) : at;
}

function foundOutBy(goneAt: number, timeline: Timeline): number {
  const { leaseMs, graceMs } = timeline.history.settings;
  return heardBy(goneAt, undefined, timeline) + 2 * leaseMs + graceMs;
}

function problemOf(row: SessionRow, userIds: (string | undefined)[], lost: boolean): string | undefined {
  if (row.endedAt === null) return 'has a row that is still open';
  if (row.endedAt < row.startedAt) return 'ended before it began, by its row';
  if (row.endReason === 'lost' && !lost) return 'was closed as lost, and Redis lost nothing';
  const wrong = userIds.find(id => id !== undefined && id !== row.userA && id !== row.userB);
  return wrong === undefined ? undefined : `has a row of others: ${row.userA} and ${row.userB}`;
}

function overlaps(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { history, usersById, faults, epochMs } = timeline;
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
      // When such a row was closed says nothing.
      if (row.endReason === 'lost' && wasLost(row.id, timeline)) continue;
      // Redis lost the end, and a node that had not heard of it restored the session for its user.
      const [from, to] = [next.startedAt - epochMs - recordedWithinMs, row.endedAt - epochMs];
      const node = nodeAt(usersById.get(userId), from);
      if (faults.some(fault => fault.losesData && restoredAt(fault, node, timeline) >= from && fault.at <= to)) {
        excuse('rows closed late, because Redis lost its data with the end, and a node had not heard of it');
        continue;
      }
      const user = usersById.get(userId)?.user ?? userId;
      const text = `${user} is in two rows at once: sessions ${row.id} and ${next.id}.`;
      violations.push({ check: 'double session', at: 0, text, users: [user] });
    }
  }
  return violations;
}
