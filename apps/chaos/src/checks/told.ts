import type { FaultEvent } from '../history.ts';
import { endOfStay, nodeAt, restoredAt, type Stay, type Timeline, type Violation } from '../timeline.ts';

/** What was on its way when a fault began may be lost with it. */
const onItsWayMs = 1000;

export interface Told {
  violations: Violation[];
  /** When something ended a stay, and how long it took until the other side was told. */
  delays: { at: number; ms: number }[];
}

/** Whoever stays when a session is over for the other side is told within the bound. */
export function checkTold(timeline: Timeline, excuse: (reason: string) => void): Told {
  const told: Told = { violations: [], delays: [] };
  for (const stays of timeline.sessions.values()) {
    const [one, other] = stays;
    if (stays.length !== 2 || !one || !other) continue;
    judge(one, other, timeline, told, excuse);
    judge(other, one, timeline, told, excuse);
    judgeAway(one, other, timeline, told);
    judgeAway(other, one, timeline, told);
  }
  return told;
}

function judge(stay: Stay, other: Stay, timeline: Timeline, told: Told, excuse: (reason: string) => void): void {
  const cause = causeOf(other, timeline);
  if (cause === undefined) return;
  const dischargedAt = Math.min(endOfStay(stay), stay.askedAt ?? Infinity);
  if (dischargedAt < cause.at) return;
  const { boundMs, graceMs } = timeline.history.settings;
  const deadline = deadlineOf(cause.at, stay, other, timeline) + (cause.unheard ? graceMs : 0);
  if (stay.toldAt === dischargedAt && deadline <= cause.at + boundMs) {
    told.delays.push({ at: cause.at, ms: dischargedAt - cause.at });
  }
  if (dischargedAt <= deadline) {
    if (dischargedAt > cause.at + boundMs) {
      const why = cause.unheard ? 'a goodbye was lost with its node' : 'another fault still lasted';
      excuse(`users told later than the bound, because ${why}`);
    }
    return;
  }
  // Nobody is there any more to be told.
  if (deadline > timeline.closingAt) return;
  const late = dischargedAt === Infinity ? 'never' : `only after ${((dischargedAt - cause.at) / 1000).toFixed(1)} s`;
  told.violations.push({
    check: 'not told',
    at: cause.at,
    text: `${stay.user} was ${late} told that session ${stay.session} is over: ${cause.why}.`,
    users: [stay.user, other.user],
  });
}

/** A client that resumes is told that its partner, who resumes too, is away; if that one is not back before. */
function judgeAway(stay: Stay, other: Stay, timeline: Timeline, told: Told): void {
  const { users, history, closingAt } = timeline;
  const user = users.get(stay.user);
  const away = users.get(other.user);
  if (user?.client !== 'resuming' || away?.client !== 'resuming') return;
  const { boundMs } = history.settings;
  const overAt = Math.min(endOfStay(stay), endOfStay(other), stay.askedAt ?? Infinity);
  for (const [downAt, upAt] of away.downs) {
    if (downAt < other.from || downAt > overAt) continue;
    const deadline = deadlineOf(downAt, stay, other, timeline);
    const news = user.events.find(
      event => event.kind === 'away' && event.session === stay.session && event.at >= downAt - boundMs,
    );
    if (news && deadline <= downAt + boundMs) told.delays.push({ at: downAt, ms: Math.max(0, news.at - downAt) });
    if (Math.min(upAt, overAt, news?.at ?? Infinity) <= deadline || deadline > closingAt) continue;
    told.violations.push({
      check: 'not told',
      at: downAt,
      text: `${stay.user} was not told that ${other.user} was away from session ${stay.session}.`,
      users: [stay.user, other.user],
    });
  }
}

interface Cause {
  at: number;
  why: string;
  /** A goodbye that nobody heard: its user counts as away, until the grace time is over. */
  unheard?: boolean;
}

/** When it was certain that the other side is not in the session any more, and why. */
function causeOf(other: Stay, timeline: Timeline): Cause | undefined {
  const { user, from, leftAt, toldAt, replacedAt } = other;
  const { leaseMs, graceMs } = timeline.history.settings;
  const resuming = timeline.users.get(user)?.client === 'resuming';
  // Who goes while away is expected back until the grace time is over.
  const lastDownAt = timeline.users.get(user)?.downs.find(([, to]) => to === other.goneAt)?.[0];
  const goneAt = lastDownAt === undefined ? other.goneAt : lastDownAt + graceMs;
  const causes: { at: number | undefined; why: string }[] = [
    { at: leftAt, why: `${user} left it` },
    { at: goneAt, why: `${user} was gone` },
    { at: toldAt, why: `${user} was told so` },
    { at: replacedAt, why: `${user} was in another one` },
  ];
  const goneWithNodeAt = endOfStay(other);
  for (const { halts, cuts, at, healedAt = Infinity, name } of timeline.faults) {
    const node = nodeAt(timeline.users.get(user), at);
    const lostLease = node !== undefined && [...halts, ...cuts].includes(node) && healedAt - at > leaseMs + 1500;
    // Slowness, or only what is on its way, costs no lease.
    const costsLease = ![
      'node-late',
      'node-echo',
      'redis-echo',
      'redis-gaps',
      'node-slow',
      'redis-slow',
      'rolling-restart',
      'node-restart',
    ].includes(name);
    if (resuming || !lostLease || !costsLease || at < from || at > goneWithNodeAt) continue;
    causes.push({ at, why: `the node of ${user} (${node}) was lost (${name})` });
  }
  const first = causes
    .flatMap(({ at, why }) => (at === undefined ? [] : [{ at, why }]))
    .reduce<Cause | undefined>((first, each) => (first && first.at <= each.at ? first : each), undefined);
  const unheard = resuming && first?.at === other.goneAt && goodbyeWasLost(other, timeline);
  return first && { ...first, unheard };
}

/** Whether the user said goodbye to a node that could not pass it on any more: it counts as away then. */
function goodbyeWasLost({ user, goneAt = Infinity }: Stay, { users, faults }: Timeline): boolean {
  const node = nodeAt(users.get(user), goneAt);
  return faults.some(
    ({ at, healedAt = Infinity, halts, cuts }) =>
      node !== undefined &&
      [...halts, ...cuts].includes(node) &&
      at <= goneAt + onItsWayMs &&
      healedAt + onItsWayMs >= goneAt,
  );
}

/** The bound counts from the cause; or from when nothing hinders any more: a fault between the two, or an own absence. */
function deadlineOf(causeAt: number, stay: Stay, other: Stay, timeline: Timeline): number {
  const { users, faults, stalls, history } = timeline;
  const { boundMs } = history.settings;
  const user = users.get(stay.user);
  const own = nodeAt(user, causeAt);
  const others = nodeAt(users.get(other.user), causeAt);
  let deadline = causeAt + boundMs;
  const laterOf = (at: number) => {
    deadline = Math.max(deadline, at + boundMs);
  };
  const touches = ({ halts, cuts }: FaultEvent, node: string | undefined) =>
    node !== undefined && (halts.includes(node) || cuts.includes(node));
  for (const fault of faults) {
    const { at, healedAt = Infinity, redis, losesData } = fault;
    // Whoever goes before the data is restored is not known to have been there: what nobody confirms ends after a lease.
    const knownAgainAt = losesData
      ? Math.max(restoredAt(fault, own, timeline), restoredAt(fault, others, timeline))
      : 0;
    if (at <= deadline && knownAgainAt >= causeAt) laterOf(knownAgainAt);
    if (at > deadline || healedAt < causeAt) continue;
    // Not one of the other side's node: that the node is found out, or heals, in time is part of the bound.
    if (redis || touches(fault, own)) laterOf(healedAt);
  }
  for (const [downAt, upAt] of user?.downs ?? []) if (downAt <= deadline && upAt >= causeAt) laterOf(upAt);
  for (const { at, ms } of stalls) if (at >= causeAt && at <= deadline) deadline += ms;
  return deadline;
}
