import { heardBy, steadyAt, toldBy } from '../deadline.ts';
import type { FaultEvent } from '../history.ts';
import {
  endOfStay,
  mayStillComeMs,
  nodeAt,
  partnerOf,
  restoredAt,
  type Stay,
  type Timeline,
  touchesOf,
  type Violation,
} from '../timeline.ts';

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
    const [one, other = one && unseenBy(one, timeline)] = stays;
    if (stays.length > 2 || !one || !other) continue;
    judge(one, other, timeline, told, excuse);
    if (stays.length === 2) judge(other, one, timeline, told, excuse);
  }
  return told;
}

/** The part of whoever never heard of a session, as far as it was over for them for sure. */
function unseenBy({ user, session, from }: Stay, timeline: Timeline): Stay | undefined {
  const other = partnerOf(user, session, timeline);
  if (!other) return undefined;
  const left = other.events.find(
    event =>
      event.kind === 'op' && (event.op === 'end' || event.op === 'skip') && event.at >= from && event.outcome === 'ok',
  );
  return {
    ...{ user: other.user, session, from, matched: false, asks: [] },
    ...(left?.kind === 'op' && left.endedAt !== undefined && { leftAt: left.endedAt }),
    ...(other.goneAt !== undefined && { goneAt: Math.max(from, other.goneAt) }),
  };
}

function judge(stay: Stay, other: Stay, timeline: Timeline, told: Told, excuse: (reason: string) => void): void {
  const cause = causeOf(other, timeline);
  if (cause === undefined) return;
  const dischargedAt = endOfStay(stay);
  if (dischargedAt < cause.at) return;
  const { boundMs, graceMs, leaseMs } = timeline.history.settings;
  // The absence is known within the bound, and the end within another one after the grace time.
  const expectedBackMs = cause.unheard ? boundMs + graceMs : 0;
  const isResuming = timeline.users.get(other.user)?.client === 'resuming';
  const mayBeForgotten = isResuming && other.goneAt !== undefined && isForgotten(cause.at, timeline);
  const lookedForMs = mayBeForgotten ? boundMs + leaseMs + graceMs : 0;
  const knownAt = cause.at + Math.max(expectedBackMs, lookedForMs);
  const isGone = cause.at === other.goneAt || cause.why.endsWith('was gone');
  const isHindered = isGone && wasHindered(cause.at, other.user, timeline);
  const lapsesAt = isHindered ? knownAt + leaseMs : knownAt;
  // What the user's own node cannot tell, and the end of the grace time, are for whichever node is steady.
  const takenOverAt = isHindered || (isGone && isResuming) ? steadyAt(lapsesAt, timeline) : lapsesAt;
  // Whoever counts as away first is taken over twice.
  const foundAt = steadyAt(cause.at + leaseMs, timeline);
  const endedAt = cause.unheard || mayBeForgotten ? steadyAt(foundAt + graceMs, timeline) : 0;
  const deadline = toldBy(Math.max(takenOverAt > lapsesAt ? takenOverAt : knownAt, endedAt), stay, other, timeline);
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

interface Cause {
  at: number;
  why: string;
  /** A goodbye that nobody heard: its user counts as away, until the grace time is over. */
  unheard?: boolean;
}

/** Slowness, or only what is on its way, costs no lease. */
const costsNoLease = new Set([
  'node-late',
  'node-echo',
  'redis-echo',
  'redis-gaps',
  'node-slow',
  'redis-slow',
  'rolling-restart',
  'node-restart',
]);

/**
 * Whether Redis may have forgotten that the user is gone, and believe that they live on a node that is gone, too: they are looked
 * for there, and then expected back.
 */
function isForgotten(goneAt: number, timeline: Timeline): boolean {
  return timeline.faults.some(
    fault => fault.losesData && fault.at <= goneAt + onItsWayMs && restoredAt(fault, undefined, timeline) >= goneAt,
  );
}

/** Whether a fault may have kept the user's node from telling of something that happened at that time. */
function wasHindered(at: number, user: string, timeline: Timeline): boolean {
  return timeline.faults.some(fault =>
    touchesOf(fault, timeline.users.get(user)).some(([from, to]) => from <= at + onItsWayMs && to + onItsWayMs >= at),
  );
}

/** From when on a user who has lost the connection counts as away: at once, unless a fault hinders its node. */
function awayFrom(downAt: number, user: string, timeline: Timeline): number {
  const { boundMs, leaseMs } = timeline.history.settings;
  const heardAt = heardBy(downAt, nodeAt(timeline.users.get(user), downAt), timeline);
  const knownAt = heardAt > downAt + boundMs ? heardAt : downAt;
  return wasHindered(downAt, user, timeline) ? Math.max(knownAt, steadyAt(downAt + leaseMs, timeline)) : knownAt;
}

/** When it was certain that the other side is not in the session any more, and why. */
function causeOf(other: Stay, timeline: Timeline): Cause | undefined {
  const { user, from, leftAt, toldAt, replacedAt } = other;
  const { leaseMs, graceMs } = timeline.history.settings;
  const resuming = timeline.users.get(user)?.client === 'resuming';
  // Who goes while away is expected back until the grace time is over.
  const lastDownAt = timeline.users.get(user)?.downs.find(([, to]) => to === other.goneAt)?.[0];
  const goneAt = lastDownAt === undefined ? other.goneAt : awayFrom(lastDownAt, user, timeline) + graceMs;
  const causes: { at: number | undefined; why: string }[] = [
    { at: leftAt, why: `${user} left it` },
    { at: goneAt, why: `${user} was gone` },
    { at: toldAt, why: `${user} was told so` },
    { at: replacedAt, why: `${user} was in another one` },
  ];
  const goneWithNodeAt = endOfStay(other);
  for (const { halts, cuts, at, healedAt = Infinity, name } of resuming ? [] : timeline.faults) {
    // The cheap questions first: a long run has thousands of sessions for each of hundreds of faults.
    if (at < from || at > goneWithNodeAt || healedAt - at <= leaseMs + 1500 || costsNoLease.has(name)) continue;
    const node = nodeAt(timeline.users.get(user), at);
    if (node === undefined || ![...halts, ...cuts].includes(node)) continue;
    // While Redis is away for everybody, nobody takes over anything.
    if (timeline.faults.some(each => each.redis && each.at < healedAt && (each.healedAt ?? Infinity) > at)) continue;
    // Nor does a node that itself could not reach Redis without interruption for a whole lease.
    const isElsewhere = ({ halts, cuts }: FaultEvent) => [...halts, ...cuts].some(each => each !== node);
    const since = at - leaseMs;
    if (timeline.faults.some(each => isElsewhere(each) && each.at < healedAt && (each.healedAt ?? Infinity) > since))
      continue;
    causes.push({ at, why: `the node of ${user} (${node}) was lost (${name})` });
  }
  const first = causes
    .flatMap(({ at, why }) => (at === undefined ? [] : [{ at, why }]))
    .reduce<Cause | undefined>((first, each) => (first && first.at <= each.at ? first : each), undefined);
  const unheard = resuming && first?.at === other.goneAt && goodbyeWasLost(other, timeline);
  return first && { ...first, unheard };
}

/** Whether the user said goodbye to a node that could not pass it on any more: it counts as away then. */
function goodbyeWasLost({ user, goneAt = Infinity }: Stay, { users, faults, history }: Timeline): boolean {
  const timeline = users.get(user);
  const node = nodeAt(timeline, goneAt);
  // A goodbye is passed on, at a heartbeat, when nothing that was refused before may still be carried out.
  const isHeld = timeline?.events.some(
    event =>
      event.kind === 'op' &&
      event.op !== 'send' &&
      event.code === 'UNAVAILABLE' &&
      event.outcome === 'failed' &&
      (event.endedAt ?? 0) >= goneAt - mayStillComeMs,
  );
  const passedOnAt = goneAt + onItsWayMs + (isHeld ? mayStillComeMs + history.settings.leaseMs / 4 : 0);
  return faults.some(
    ({ at, healedAt = Infinity, halts, cuts }) =>
      node !== undefined && [...halts, ...cuts].includes(node) && at <= passedOnAt && healedAt + onItsWayMs >= goneAt,
  );
}
