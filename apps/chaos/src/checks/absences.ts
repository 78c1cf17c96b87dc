import { dueBetween, toldBy } from '../deadline.ts';
import { endOfStay, type Stay, type Timeline, type Violation } from '../timeline.ts';

export interface Absences {
  violations: Violation[];
  /** When somebody was away, and how long it took until the other side was told. */
  delays: { at: number; ms: number }[];
}

/** A client that resumes is told that its partner, who resumes too, is away, and that they are back. */
export function checkAbsences(timeline: Timeline): Absences {
  const found: Absences = { violations: [], delays: [] };
  for (const stays of timeline.sessions.values()) {
    const [one, other] = stays;
    if (stays.length !== 2 || !one || !other) continue;
    if (stays.some(({ user }) => timeline.users.get(user)?.client !== 'resuming')) continue;
    for (const [stay, partner] of [
      [one, other],
      [other, one],
    ] as const) {
      judgeAway(stay, partner, timeline, found);
      judgeBack(stay, partner, timeline, found);
    }
  }
  return found;
}

function judgeAway(stay: Stay, other: Stay, timeline: Timeline, { violations, delays }: Absences): void {
  const { users, history, closingAt } = timeline;
  const { boundMs } = history.settings;
  const overAt = Math.min(endOfStay(stay), endOfStay(other));
  for (const [downAt, upAt] of users.get(other.user)?.downs ?? []) {
    if (downAt < other.from || downAt > overAt) continue;
    const deadline = toldBy(downAt, stay, other, timeline);
    const news = users
      .get(stay.user)
      ?.events.find(event => event.kind === 'away' && event.session === stay.session && event.at >= downAt - boundMs);
    const endedAt = Math.min(upAt, overAt);
    // Later news is of another absence.
    if (news && news.at <= endedAt && deadline <= downAt + boundMs) {
      delays.push({ at: downAt, ms: Math.max(0, news.at - downAt) });
    }
    if (Math.min(endedAt, news?.at ?? Infinity) <= deadline || deadline > closingAt) continue;
    violations.push({
      check: 'not told',
      at: downAt,
      text: `${stay.user} was not told that ${other.user} was away from session ${stay.session}.`,
      users: [stay.user, other.user],
    });
  }
}

/** When all had the time to arrive, the last news of a partner who is there is not that they are away. */
function judgeBack(stay: Stay, other: Stay, timeline: Timeline, { violations }: Absences): void {
  const { users, closingAt } = timeline;
  const overAt = Math.min(endOfStay(stay), endOfStay(other), closingAt);
  const news = users.get(stay.user)?.events.filter(
    event =>
      ((event.kind === 'away' || event.kind === 'back') && event.session === stay.session) ||
      // A page that was loaded again shows what it was told then.
      (event.kind === 'down' && event.reload),
  );
  for (const [, upAt] of users.get(other.user)?.downs ?? []) {
    if (upAt < other.from || upAt > overAt) continue;
    const due = dueBetween(upAt, [stay, other], timeline);
    if (due > overAt || news?.findLast(({ at }) => at <= due)?.kind !== 'away') continue;
    violations.push({
      check: 'not told',
      at: upAt,
      text: `${stay.user} was not told that ${other.user} was back in session ${stay.session}.`,
      users: [stay.user, other.user],
    });
  }
}
