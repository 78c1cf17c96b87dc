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
  let deadline = causeAt + boundMs;
  const laterOf = (from: number, to: number) => {
    if (from <= deadline && to >= causeAt) deadline = Math.max(deadline, to + boundMs);
  };
  for (const fault of faults) {
    const { at, redis, losesData } = fault;
    // Whoever goes before the data is restored is not known to have been there: what nobody confirms ends after a lease.
    if (losesData) {
      const both = [user, users.get(other.user)];
      for (const side of both) laterOf(at, restoredAt(fault, nodeAt(side, Math.max(at, causeAt)), timeline));
    }
    // Not one of the other side's node: that the node is found out, or heals, in time is part of the bound.
    for (const [from, to] of redis ? [spanOf(fault)] : touchesOf(fault, user)) laterOf(from, to);
  }
  for (const [downAt, upAt] of user?.downs ?? []) laterOf(downAt, upAt);
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

/**
 * When some node can take over what has fallen due: it could reach Redis without interruption for a whole lease. That is at once,
 * unless faults crowd.
 */
export function steadyAt(since: number, timeline: Timeline): number {
  const { faults, users, history } = timeline;
  const { leaseMs } = history.settings;
  const placeOf = (node: string) => node.split('#')[0];
  const places = new Set([...users.values()].flatMap(({ ups }) => ups.map(({ node }) => placeOf(node))));
  const quietAt = (place: string | undefined) => {
    let quietFrom = since - leaseMs;
    const disturbances = faults.filter(
      ({ redis, halts, cuts }) => redis || [...halts, ...cuts].some(node => placeOf(node) === place),
    );
    for (const { at, healedAt = Infinity } of disturbances.toSorted((one, other) => one.at - other.at)) {
      if (at < quietFrom + leaseMs && healedAt > quietFrom) quietFrom = healedAt;
    }
    return quietFrom + leaseMs;
  };
  return Math.max(since, Math.min(...[...places].map(quietAt)));
}

function spanOf({ at, healedAt = Infinity }: FaultEvent): [number, number] {
  return [at, healedAt];
}
