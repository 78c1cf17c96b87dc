import { nodeAt, type Timeline, type Violation } from '../timeline.ts';

/** One command of a user is answered within this, if a server or Redis hangs. */
const answerWithinMs = 5000;

/** Whatever a client asks is answered, and at the end everybody finds somebody. */
export function checkSilence(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  return [...unanswered(timeline, excuse), ...unmatched(timeline)];
}

function unanswered({ users, faults, closingAt }: Timeline, excuse: (reason: string) => void): Violation[] {
  const violations: Violation[] = [];
  for (const user of users.values()) {
    for (const event of user.events) {
      if (event.kind !== 'op' || (event.outcome !== undefined && event.code !== 'TIMEOUT') || event.at > closingAt)
        continue;
      const { at, endedAt = Infinity, op } = event;
      // A user who has just gone does not wait for the answer; and a message that waits for its partner is not a question.
      if (event.outcome === undefined && (user.goneAt !== undefined || op === 'send')) continue;
      const node = op === 'connect' ? undefined : nodeAt(user, at);
      const halted = faults.some(
        ({ at: from, healedAt = Infinity, halts }) =>
          from <= endedAt && healedAt >= at && halts.length > 0 && (node === undefined || halts.includes(node)),
      );
      if (halted) {
        excuse('questions without an answer, because the node stood still');
        continue;
      }
      // The client library gives one command after the other.
      const progress = user.events.some(
        each => each.kind === 'op' && each.op !== 'send' && each.code !== 'TIMEOUT' && isBetween(each.endedAt, endedAt),
      );
      const ahead = user.events.filter(
        each =>
          each.kind === 'op' &&
          each.op !== 'send' &&
          each.at <= at &&
          each !== event &&
          (each.endedAt ?? Infinity) > at,
      ).length;
      const hadNoTurn = (ahead + 1) * answerWithinMs > endedAt - at;
      if (user.client === 'resuming' && (progress || hadNoTurn)) {
        excuse('commands that still waited for many others of the same user, which were being answered');
        continue;
      }
      const text = `${user.user} got no answer to ${op}, though the connection (to ${node ?? 'a node'}) was there.`;
      violations.push({ check: 'silence', at, text, users: [user.user] });
    }
  }
  return violations;
}

/** Whether something was answered in the last moments of a wait, one answer being given within a few seconds. */
function isBetween(answeredAt: number | undefined, until: number): boolean {
  return answeredAt !== undefined && answeredAt <= until && answeredAt >= until - answerWithinMs;
}

function unmatched({ users, rollCallAt, closingAt }: Timeline): Violation[] {
  const alone: { user: string; why: string; at: number }[] = [];
  for (const { user, events, stays, goneAt } of users.values()) {
    const search = events.find(event => event.kind === 'op' && event.op === 'search' && event.at >= rollCallAt);
    if (search?.kind !== 'op' || (goneAt ?? Infinity) < closingAt) continue;
    const why = search.outcome === 'ok' ? 'was not matched' : `was told ${search.code ?? 'nothing'}`;
    if (!stays.some(stay => stay.matched && stay.from >= rollCallAt)) alone.push({ user, why, at: search.at });
  }
  // Among an odd number one is left.
  if (alone.length < 2) return [];
  return alone.map(({ user, why, at }) => ({
    ...{ check: 'hangs', at, users: [user] },
    text: `When all was healed ${user} searched and ${why}; ${alone.length} were left so.`,
  }));
}
