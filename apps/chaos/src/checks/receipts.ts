import { dueBetween } from '../deadline.ts';
import { endOfStay, type Timeline, type Violation } from '../timeline.ts';

/** Whoever writes with a client that resumes sees that a message was shown, as long as both sides stay. */
export function checkReceipts(timeline: Timeline): Violation[] {
  const { users, sessions, closingAt } = timeline;
  const violations: Violation[] = [];
  const seen = new Map<string, number>();
  for (const { events } of users.values()) {
    for (const event of events)
      if (event.kind === 'delivered') seen.set(`${event.user} ${event.session} ${event.n}`, event.at);
  }
  for (const { user, events } of users.values()) {
    for (const event of events) {
      if (event.kind !== 'shown' || users.get(event.from)?.client !== 'resuming') continue;
      const { at, from, session, n } = event;
      const seenAt = seen.get(`${from} ${session} ${n}`) ?? Infinity;
      const stays = sessions.get(session) ?? [];
      const until = Math.min(closingAt, ...stays.map(endOfStay));
      // It is due in this at the earliest, and most sessions are over by then: there are a million messages.
      const soonest = at + timeline.history.settings.boundMs;
      if (stays.length !== 2 || seenAt <= soonest || until < soonest) continue;
      const due = dueBetween(at, stays, timeline);
      if (seenAt <= due || due > until) continue;
      const text = `${from} never saw in time that message ${n} in session ${session} was shown to ${user}.`;
      violations.push({ check: 'no receipt', at, text, users: [from, user] });
    }
  }
  return violations;
}
