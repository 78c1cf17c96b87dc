import type { FaultEvent } from './history.ts';
import { leavings, nodeAt, restoredAt, type Stay, type Timeline, touchesOf } from './timeline.ts';

/**
 * By when one side of a session must have been told of something about the other. The bound counts from the cause; or from
 * when nothing hinders any more: a fault between the two, or an own absence.
 */
export function toldBy(causeAt: number, stay: Stay, other: Stay, timeline: Timeline): number {
  const { users, faults, stalls, history } = timeline;
  const { boundMs } = history.settings;
  const user = users.get(stay.user);
  const own = nodeAt(user, causeAt);
  const others = nodeAt(users.get(other.user), causeAt);
  let deadline = causeAt + boundMs;
  const laterOf = (at: number) => {
    deadline = Math.max(deadline, at + boundMs);
  };
  const isTouched = ({ halts, cuts }: FaultEvent, node: string | undefined) =>
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
    if (redis || isTouched(fault, own)) laterOf(healedAt);
  }
  for (const [downAt, upAt] of user?.downs ?? []) if (downAt <= deadline && upAt >= causeAt) laterOf(upAt);
  for (const [from, to] of leavings(stay)) if (from <= deadline && to >= causeAt) deadline = Math.max(deadline, to);
  for (const { at, ms } of stalls) if (at >= causeAt && at <= deadline) deadline += ms;
  return deadline;
}

/** From when to when a session was hindered: a side was away, or perhaps leaving, or a fault stood between the two. */
export function hindrancesOf(stays: readonly Stay[], { users, faults }: Timeline): [from: number, to: number][] {
  return stays.flatMap(stay => {
    const user = users.get(stay.user);
    const away = user?.downs ?? [];
    const touched = faults.flatMap(fault => (fault.redis ? [spanOf(fault)] : touchesOf(fault, user)));
    return [...away, ...leavings(stay), ...touched];
  });
}

/** By when what needs both sides of a session must have come: the bound, in which nothing hindered either of them. */
export function dueBetween(since: number, stays: readonly Stay[], timeline: Timeline): number {
  const { stalls, history } = timeline;
  const { boundMs } = history.settings;
  let due = since + boundMs;
  for (const [from, to] of hindrancesOf(stays, timeline).toSorted(([one], [other]) => one - other)) {
    if (from <= due && to >= since) due = Math.max(due, to + boundMs);
  }
  for (const { at, ms } of stalls) if (at >= since && at <= due) due += ms;
  return due;
}

/** By when a node must have acted on what happened elsewhere: the bound, or later if it cannot hear of it. */
export function heardBy(since: number, node: string | undefined, timeline: Timeline): number {
  const { faults, stalls, history } = timeline;
  const { boundMs } = history.settings;
  let deadline = since + boundMs;
  for (const fault of faults) {
    const { at, healedAt = Infinity, redis, losesData, halts, cuts } = fault;
    if (!redis && !(node !== undefined && (halts.includes(node) || cuts.includes(node)))) continue;
    const until = losesData ? restoredAt(fault, node, timeline) : healedAt;
    if (at <= deadline && until >= since) deadline = Math.max(deadline, until + boundMs);
  }
  for (const { at, ms } of stalls) if (at >= since && at <= deadline) deadline += ms;
  return deadline;
}

function spanOf({ at, healedAt = Infinity }: FaultEvent): [number, number] {
  return [at, healedAt];
}
