import type { Operation } from '../history.ts';
import { endOfStay, nodeAt, type Stay, type Timeline, type UserTimeline, type Violation } from '../timeline.ts';

/** The client library sends again at once, or within a second or two. Loaded machines get some more. */
const arriveWithinMs = 5000;

/** Messages are shown to the partner in their session, in order, once; and what must arrive arrives. */
export function checkMessages(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { users, sessions, history } = timeline;
  const rows = new Map(history.end.rows.map(row => [row.id, row]));
  const byUserId = new Map([...users.values()].flatMap(user => (user.userId ? [[user.userId, user]] : [])));
  /** The users of a session, also those who were gone before they heard of it; as far as it is known. */
  const usersOf = (session = ''): UserTimeline[] => {
    const row = rows.get(session);
    const recorded = [row?.userA, row?.userB].flatMap(userId => byUserId.get(userId ?? '') ?? []);
    const seen = sessions.get(session)?.flatMap(({ user }) => users.get(user) ?? []) ?? [];
    return [...recorded, ...seen];
  };
  const violations: Violation[] = [];
  const violate = (at: number, check: string, text: string, ...between: string[]) =>
    void violations.push({ check, at, text, users: between });
  const shown = new Set<string>();
  const lastShown = new Map<string, { n: number; at: number }>();
  for (const { user, events, strays } of users.values()) {
    for (const { at, from, session, n, now } of strays) {
      if (usersOf(now).some(each => each.user === from) && wasMoving(users.get(from), session, n)) {
        excuse(
          'messages that a plain client wrote while it was being moved to its next chat, and that were shown there',
        );
        continue;
      }
      const where = now === undefined ? 'in no session' : `in session ${now}`;
      violate(
        at,
        'wrong partner',
        `${user}, ${where}, was shown message ${n} of ${from} in session ${session}.`,
        user,
        from,
      );
    }
    for (const event of events) {
      if (event.kind !== 'shown') continue;
      const { at, from, session, n } = event;
      const line = `${from} ${session} ${user}`;
      const partners = sessions.get(session)?.some(stay => stay.user === from);
      const what = `message ${n} of ${from} in session ${session}`;
      if (from === user || !partners)
        violate(at, 'wrong partner', `${user} was shown ${what}, who is not there.`, user);
      const last = lastShown.get(line)?.n ?? 0;
      if (shown.has(`${line} ${n}`)) violate(at, 'repeated', `${user} was shown ${what} again.`, user, from);
      else if (n < last) violate(at, 'order', `${user} was shown ${what} after message ${last}.`, user, from);
      lastShown.set(line, { n: Math.max(last, n), at });
      shown.add(`${line} ${n}`);
    }
  }
  for (const { user, events } of users.values()) {
    for (const event of events) {
      const claims = event.kind === 'delivered' || (event.kind === 'op' && event.op === 'send');
      if (!claims || event.session === undefined || event.n === undefined) continue;
      const { at, session, n } = event;
      const stays = sessions.get(session) ?? [];
      const partner = stays.find(stay => stay.user !== user);
      if (partner && shown.has(`${user} ${session} ${partner.user} ${n}`)) continue;
      const who = partner?.user ?? 'the partner, whom nobody knows';
      const text = `Message ${n} of ${user} in session ${session}`;
      const other = usersOf(session).find(each => each.user !== user);
      if (event.kind === 'delivered' && other?.goneAt !== undefined && other.client === 'plain') {
        excuse('messages delivered by the node to a plain client whose connection was lost in that moment');
      } else if (event.kind === 'delivered') {
        violate(at, 'delivered but lost', `${text} counts as delivered and was not shown to ${who}.`, user, who);
      } else if (
        partner &&
        mustArrive(event, stays, timeline, lastShown.get(`${user} ${session} ${partner.user}`)?.at ?? 0)
      ) {
        violate(at, 'lost', `${text} was never shown to ${who}, who stayed.`, user, who);
      } else if (event.outcome === 'ok') {
        excuse('messages accepted and not shown, because the chat ended or no promise was made (plain clients)');
      }
    }
  }
  return violations;
}

/**
 * Whether a plain client wrote a message, which cannot name its session, while it waited for the answer to a skip or search,
 * or after one that failed and may have been carried out.
 */
function wasMoving(sender: UserTimeline | undefined, session: string, n: number): boolean {
  if (sender?.client !== 'plain') return false;
  const operations = sender.events.filter(event => event.kind === 'op');
  const send = operations.find(event => event.op === 'send' && event.session === session && event.n === n);
  if (!send) return false;
  const moves = operations.filter(({ op, at }) => (op === 'skip' || op === 'search') && at <= send.at);
  const { outcome, code } = moves.at(-1) ?? {};
  const mayStillCome = outcome !== 'ok' && (code === 'UNAVAILABLE' || code === 'TIMEOUT' || code === 'CONNECTION');
  return mayStillCome || moves.some(({ endedAt = Infinity }) => endedAt >= send.at);
}

/**
 * Whether this message had to be shown, since both sides stayed long enough.
 * @param progressAt when the last message of this sender was shown: a message waits for those before it, however many
 */
function mustArrive(send: Operation, stays: readonly Stay[], timeline: Timeline, progressAt: number): boolean {
  const { users, faults, closingAt, rollCallAt } = timeline;
  if (send.outcome === 'failed') return false;
  const until = Math.min(closingAt, ...stays.map(stay => Math.min(endOfStay(stay), stay.askedAt ?? Infinity)));
  // Without any fault, the relay itself loses nothing.
  if (send.at > rollCallAt && send.outcome === 'ok') return until >= closingAt;
  // A client that resumes keeps its messages until the partner's client has them, whatever becomes of the servers.
  if (users.get(send.user)?.client !== 'resuming') return false;
  const hindrances: [from: number, to: number][] = [];
  for (const { user } of stays) {
    const timelineOfUser = users.get(user);
    hindrances.push(...(timelineOfUser?.downs ?? []));
    for (const { at, healedAt = Infinity, redis, halts, cuts } of faults) {
      const node = nodeAt(timelineOfUser, at);
      if (redis || (node !== undefined && (halts.includes(node) || cuts.includes(node))))
        hindrances.push([at, healedAt]);
    }
  }
  return hasQuiet(arriveWithinMs, { from: Math.max(send.at, progressAt), to: until }, hindrances);
}

/** Whether there is a time of this length, between the two, in which nothing hinders. */
function hasQuiet(ms: number, { from, to }: { from: number; to: number }, hindrances: [number, number][]): boolean {
  let quietFrom = from;
  for (const [start, end] of hindrances.toSorted(([one], [other]) => one - other)) {
    if (end <= quietFrom) continue;
    if (Math.min(start, to) - quietFrom >= ms) return true;
    quietFrom = end;
  }
  return to - quietFrom >= ms;
}
