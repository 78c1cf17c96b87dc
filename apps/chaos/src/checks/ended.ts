import { toldBy } from '../deadline.ts';
import type { Operation } from '../history.ts';
import {
  endOfStay,
  leavings,
  nodeAt,
  partnerOf,
  restoredAt,
  type Stay,
  type Timeline,
  touchesOf,
  type UserTimeline,
  type Violation,
} from '../timeline.ts';

/** The two sides hear of the same thing in any order; and near the end of the grace time it depends on who looks first. */
const blurMs = 500;
/** Between the end of a fault and the end of what comes of it for a connection. */
const aftermathMs = 2000;

/** A chat goes on, and a place in the queue is kept, until somebody leaves or is lost. */
export function checkEnded(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  return [...chats(timeline, excuse), ...places(timeline, excuse)];
}

function chats(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const violations: Violation[] = [];
  for (const [session, stays] of timeline.sessions) {
    // A client may be told of the match when the other one has left again, and got the answer.
    const recordedAt = (timeline.rows.get(session)?.startedAt ?? Infinity) - timeline.epochMs;
    const startedAt = Math.min(recordedAt, ...stays.map(({ from }) => from));
    for (const stay of stays) {
      const { user, toldAt, reason } = stay;
      if (toldAt === undefined || toldAt > endOfStay(stay)) continue;
      const other = partnerOf(user, session, timeline);
      if (!other) {
        excuse('chats that ended with a partner of whom no client knows');
        continue;
      }
      const chat = { startedAt, endedAt: toldAt, stay, other };
      const isAsked = reason === 'skip' || reason === 'end';
      if (asked(other, chat, timeline) || (!isAsked && hasCause(chat, timeline))) continue;
      const why = excuseOf(chat, timeline, isAsked);
      if (why) {
        excuse(`chats that ended, because ${why}`);
        continue;
      }
      const text = `${user} was told that session ${session} is over (${reason}), and ${other.user} neither left it nor was lost.`;
      violations.push({ check: 'ended for nothing', at: toldAt, text, users: [user, other.user] });
    }
  }
  return violations;
}

interface EndedChat {
  startedAt: number;
  endedAt: number;
  stay: Stay;
  other: UserTimeline;
}

/** Whether one side was gone, away for too long, or perhaps left by itself. */
function hasCause(chat: EndedChat, timeline: Timeline): boolean {
  const { endedAt, stay, other } = chat;
  const user = timeline.users.get(stay.user);
  return (
    (other.goneAt ?? Infinity) <= endedAt + blurMs ||
    asked(user, chat, timeline) ||
    [user, other].some(each => wasAway(each, endedAt, timeline))
  );
}

/** Which fault ends chats though nobody is gone or away for long. */
function excuseOf(
  { startedAt, endedAt, stay, other }: EndedChat,
  timeline: Timeline,
  isAsked: boolean,
): string | undefined {
  const { faults, users, history } = timeline;
  const { leaseMs, boundMs } = history.settings;
  const both = [users.get(stay.user), other];
  // What was asked for may have been done, and then forgotten.
  const didAsk = other.events.some(
    event =>
      event.kind === 'op' &&
      (event.op === 'skip' || event.op === 'end') &&
      event.at >= startedAt - blurMs &&
      event.at <= endedAt + blurMs,
  );
  if ((!isAsked || didAsk) && wasForgotten(both, startedAt, endedAt, timeline)) return 'Redis lost its data';
  if (isAsked) return undefined;
  const lostLease = faults.some(fault => {
    const { at, healedAt = Infinity } = fault;
    // The lease was prolonged a quarter of it before, at worst, and is again no sooner than another quarter after the fault.
    const isLong = Math.min(healedAt, endedAt) - at >= leaseMs / 2;
    const isPlain = both.some(each => each?.client === 'plain' && touchesOf(fault, each).length > 0);
    return isLong && isPlain && healedAt >= startedAt && endedAt <= healedAt + boundMs;
  });
  return lostLease ? 'the node of a plain client stood still or was cut off for a lease' : undefined;
}

/** Whether the user asked to leave, whatever came of it, and not so long ago that the other side must have been told before. */
function asked(user: UserTimeline | undefined, chat: EndedChat, timeline: Timeline): boolean {
  const { startedAt, endedAt, stay, other } = chat;
  const asks = (user?.events ?? []).filter(
    event =>
      event.kind === 'op' && (event.op === 'skip' || event.op === 'end') && event.reply?.sessionId !== stay.session,
  );
  return leavings({ asks: asks as Operation[] }).some(
    ([from, to]) =>
      from <= endedAt + blurMs &&
      to >= startedAt &&
      endedAt <= toldBy(Math.min(to, endedAt), stay, { ...stay, user: other.user }, timeline),
  );
}

/** Whether a user who may resume was away for the grace time. Whose node is halted or cut off may count as away, too. */
function wasAway(user: UserTimeline | undefined, until: number, { faults, history }: Timeline): boolean {
  const { graceMs, boundMs } = history.settings;
  if (user?.client !== 'resuming') return false;
  const spans = [...user.downs, ...faults.flatMap(fault => touchesOf(fault, user))];
  let [start, end] = [-Infinity, -Infinity];
  for (const [from, to] of spans.toSorted(([one], [other]) => one - other)) {
    if (from > end + aftermathMs) start = from;
    end = Math.max(end, to);
    if (Math.min(end, until) - start >= graceMs - blurMs && end + boundMs >= until) return true;
  }
  return false;
}

/** Whether Redis lost what it knew of these users, and it was not yet restored, or what came of it not yet told. */
function wasForgotten(users: (UserTimeline | undefined)[], from: number, until: number, timeline: Timeline): boolean {
  const { leaseMs, boundMs } = timeline.history.settings;
  return timeline.faults.some(fault => {
    if (!fault.losesData || fault.at > until) return false;
    const nodes = users.flatMap(user => [nodeAt(user, fault.at), nodeAt(user, until)]);
    const restored = Math.max(...nodes.map(node => restoredAt(fault, node, timeline)));
    return from <= restored && until <= restored + leaseMs + boundMs;
  });
}

/** Whoever waits and loses the connection still waits when back. */
function places(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { users, history, epochMs } = timeline;
  const { boundMs } = history.settings;
  const violations: Violation[] = [];
  for (const user of users.values()) {
    for (const { downAt, at } of user.lostPlaces) {
      if (wasAway(user, at, timeline)) continue;
      // A match that came before the absence was known, or that the node did not hear of, and that the other side has left again.
      const deafSince = timeline.faults
        .flatMap(fault => touchesOf(fault, user))
        .filter(([from, to]) => from <= downAt && to >= downAt - boundMs)
        .reduce((least, [from]) => Math.min(least, from), downAt);
      const wasMatched = history.end.rows.some(
        ({ userA, userB, startedAt }) =>
          (userA === user.userId || userB === user.userId) &&
          startedAt - epochMs >= deafSince - boundMs &&
          startedAt - epochMs <= at,
      );
      const wasUnknown = wasForgotten([user], downAt, at, timeline);
      if (wasMatched || wasUnknown) {
        excuse(
          `places in the queue lost, because ${wasUnknown ? 'Redis lost its data' : 'a match was missed meanwhile'}`,
        );
        continue;
      }
      const text = `${user.user} waited, lost the connection for ${((at - downAt) / 1000).toFixed(2)} s, and did not wait any more.`;
      violations.push({ check: 'place lost', at, text, users: [user.user] });
    }
  }
  return violations;
}
