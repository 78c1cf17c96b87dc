import { heardBy, hindrancesOf } from '../deadline.ts';
import type { Operation } from '../history.ts';
import {
  endOfStay,
  nodeAt,
  partnerOf,
  type Stay,
  type Timeline,
  type UserTimeline,
  type Violation,
} from '../timeline.ts';

/** The client library sends again at once, or within a second or two. Loaded machines get some more. */
const arriveWithinMs = 5000;

/** What a node gave to a connection that was just being lost is lost with it, and the client notices a moment later. */
const justGoneMs = 2000;

/** Messages are shown to the partner in their session, in order, once; and what must arrive arrives. */
export function checkMessages(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const { users, sessions, rows, epochMs } = timeline;
  const violations: Violation[] = [];
  const violate = (at: number, check: string, text: string, ...between: string[]) =>
    void violations.push({ check, at, text, users: between });
  /** When each was shown, but for what a tab showed that had been copied before. */
  const shown = new Map<string, number>();
  const shownLate = new Set<string>();
  const wasShown = (message: string) => shown.has(message) || shownLate.has(message);
  const lastShown = new Map<string, { n: number; at: number }>();
  const lastInTab = new Map<string, number>();
  for (const { user, userId, events, stays, strays } of users.values()) {
    let copiedAt = Number.NEGATIVE_INFINITY;
    for (const { at, from, session, n, now, late } of strays) {
      const row = rows.get(session);
      const isOwn = row ? row.userA === userId || row.userB === userId : stays.some(stay => stay.session === session);
      const overAt = row?.endedAt == null ? Number.POSITIVE_INFINITY : row.endedAt - epochMs;
      if (late && isOwn && at <= heardBy(overAt, nodeOfOriginal(users.get(user), at), timeline)) {
        excuse('messages shown in a tab that had been copied, in a chat that the copy had left, or had not heard of');
        continue;
      }
      if (
        now !== undefined &&
        partnerOf(user, now, timeline)?.user === from &&
        wasMoving(users.get(from), session, n)
      ) {
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
      if (event.kind === 'copied') copiedAt = event.at;
      if (event.kind !== 'shown') continue;
      const { at, from, session, n, late } = event;
      const line = `${from} ${session} ${user}`;
      const tab = late ? `${line} ${copiedAt}` : line;
      const partners = sessions.get(session)?.some(stay => stay.user === from);
      const what = `message ${n} of ${from} in session ${session}`;
      if (from === user || !partners)
        violate(at, 'wrong partner', `${user} was shown ${what}, who is not there.`, user);
      const last = lastShown.get(line)?.n ?? 0;
      const inTab = lastInTab.get(tab) ?? 0;
      const before = shown.get(`${line} ${n}`);
      const isInBoth = late ? before !== undefined : shownLate.has(`${line} ${n}`);
      const isRepeated = late
        ? shownLate.has(`${tab} ${n}`) || (before !== undefined && before < copiedAt)
        : before !== undefined;
      if (isRepeated) violate(at, 'repeated', `${user} was shown ${what} again.`, user, from);
      else if (n < inTab) violate(at, 'order', `${user} was shown ${what} after message ${inTab}.`, user, from);
      // Whoever resumes numbers the messages, and nobody shows one before those that come first.
      else if (n > last + 1 && users.get(from)?.client === 'resuming')
        violate(at, 'gap', `${user} was shown ${what} right after message ${last}.`, user, from);
      if (isInBoth && !isRepeated)
        excuse('messages shown in two tabs, because the one was copied before it showed them');
      lastShown.set(line, { n: Math.max(last, n), at });
      lastInTab.set(tab, Math.max(inTab, n));
      if (late) for (const each of [line, tab]) shownLate.add(`${each} ${n}`);
      else shown.set(`${line} ${n}`, at);
    }
  }
  for (const { user, events } of users.values()) {
    for (const event of events) {
      const claims = event.kind === 'delivered' || (event.kind === 'op' && event.op === 'send');
      if (!claims || event.session === undefined || event.n === undefined) continue;
      const { at, session, n } = event;
      const stays = sessions.get(session) ?? [];
      const partner = stays.find(stay => stay.user !== user);
      if (partner && wasShown(`${user} ${session} ${partner.user} ${n}`)) continue;
      const who = partner?.user ?? 'the partner, whom nobody knows';
      const text = `Message ${n} of ${user} in session ${session}`;
      const other = partnerOf(user, session, timeline);
      const hadGone = other?.goneAt !== undefined && other.goneAt <= at + justGoneMs;
      if (event.kind === 'delivered' && other?.client === 'plain' && hadGone) {
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

/** The node of the tab that had been copied last by then. */
function nodeOfOriginal(user: UserTimeline | undefined, by: number): string | undefined {
  const copied = user?.events.findLast(({ kind, at }) => kind === 'copied' && at <= by);
  return copied && nodeAt(user, copied.at);
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
  const { users, closingAt, rollCallAt } = timeline;
  if (send.outcome === 'failed') return false;
  const until = Math.min(closingAt, ...stays.map(endOfStay));
  // Without any fault, the relay itself loses nothing.
  if (send.at > rollCallAt && send.outcome === 'ok') return until >= closingAt;
  // A client that resumes keeps its messages until the partner's client has them, whatever becomes of the servers.
  if (users.get(send.user)?.client !== 'resuming') return false;
  const from = Math.max(send.at, progressAt);
  return until - from >= arriveWithinMs && hasQuiet(arriveWithinMs, { from, to: until }, hindrancesOf(stays, timeline));
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
