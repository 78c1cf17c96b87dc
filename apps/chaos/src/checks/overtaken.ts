import { restoredAt, type Stay, type Timeline, touchesOf, type UserTimeline, type Violation } from '../timeline.ts';

/** Who came first is not clear when it was at about the same time. */
const blurMs = 1000;
/** Shorter waits are not worth a look. */
const worthLookingMs = 2000;
/**
 * A partner is drawn from the eight longest-waiting. Were there always eight, so many draws would all miss one of them once in
 * 800 times; but without a fault there are hardly ever two.
 */
const mostOvertakings = 50;

/** Whoever waits is not passed over by those who came later, but as chance has it. */
export function checkOvertaken(timeline: Timeline): Violation[] {
  const violations: Violation[] = [];
  const pairs = [...timeline.sessions.values()].flatMap(stays => pairOf(stays, timeline));
  for (const user of timeline.users.values()) {
    for (const [from, toldAt] of user.waits) {
      const to = Math.min(toldAt, matchedBy(user, toldAt, timeline));
      if (to - from < worthLookingMs) continue;
      const notThere = timesNotThere(user, timeline);
      const overtaking = pairs.filter(
        ({ at, since, users }) =>
          since >= from + blurMs &&
          at <= to - blurMs &&
          !users.includes(lastPartnerOf(user, from, timeline)) &&
          !notThere.some(([start, end]) => start <= at && end >= at),
      );
      if (overtaking.length <= mostOvertakings) continue;
      const text = `${user.user} waited for ${((to - from) / 1000).toFixed(1)} s, while ${overtaking.length} pairs were made of users who came later.`;
      violations.push({ check: 'overtaken', at: from, text, users: [user.user] });
    }
  }
  return violations;
}

/** When the wait that ended at this time ended in Redis. */
function matchedBy({ stays }: UserTimeline, toldAt: number, { rows, epochMs }: Timeline): number {
  const stay = stays.find(({ from }) => from >= toldAt);
  const isNext = stay && stay.from <= toldAt + blurMs;
  return isNext ? (rows.get(stay.session)?.startedAt ?? Number.POSITIVE_INFINITY) - epochMs : Number.POSITIVE_INFINITY;
}

interface Pair {
  at: number;
  /** When the one who came first began to look, or earlier. */
  since: number;
  users: (string | undefined)[];
}

function pairOf(stays: readonly Stay[], { users, rows, epochMs }: Timeline): Pair[] {
  const [stay] = stays;
  const at = (rows.get(stay?.session ?? '')?.startedAt ?? Number.NaN) - epochMs;
  if (stays.length !== 2 || Number.isNaN(at)) return [];
  return [
    { at, since: Math.min(...stays.map(each => soughtSince(each, users))), users: stays.map(({ user }) => user) },
  ];
}

function soughtSince({ user, from }: Stay, users: Timeline['users']): number {
  const { events = [], stays = [] } = users.get(user) ?? {};
  const before = stays.findLast(stay => stay.from < from)?.from ?? Number.NEGATIVE_INFINITY;
  const first = events.find(
    event => event.kind === 'op' && (event.op === 'search' || event.op === 'skip') && event.at > before,
  );
  return first?.at ?? before;
}

/** Two who have just parted are not paired again while there are others. */
function lastPartnerOf(user: UserTimeline, at: number, { sessions }: Timeline): string | undefined {
  const last = user.stays.findLast(({ from }) => from <= at);
  return sessions.get(last?.session ?? '')?.find(stay => stay.user !== user.user)?.user;
}

/** When the user was not there to be paired, or the registry may not have known that they were, or they not of the match. */
function timesNotThere(user: UserTimeline, timeline: Timeline): [from: number, to: number][] {
  const { faults, history } = timeline;
  const { leaseMs, boundMs } = history.settings;
  const touched = faults.flatMap(fault => {
    const { at, healedAt = Infinity, redis, losesData } = fault;
    if (losesData) {
      const restored = user.ups.map(({ node }) => restoredAt(fault, node, timeline));
      return [[at, Math.max(healedAt, ...restored)] as const];
    }
    return redis ? [[at, healedAt] as const] : touchesOf(fault, user);
  });
  return [
    ...user.downs.map(([from, to]): [number, number] => [from - blurMs, to + blurMs]),
    ...touched.map(([from, to]): [number, number] => [from - blurMs, to + leaseMs + boundMs]),
  ];
}
