import { heardBy } from '../deadline.ts';
import { nodeAt, type Timeline, touchesOf, type UserTimeline, type Violation } from '../timeline.ts';

/** A node that hears of a client makes the token before the client's present one worthless within this. */
const worthlessWithinMs = 1000;

/** Of two connections with one token the newer one stays, and a token that was replaced and is used no more is worth nothing. */
export function checkTokens(timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  return [...timeline.users.values()].flatMap(user => [
    ...originals(user, timeline, excuse),
    ...strangers(user, timeline, excuse),
  ]);
}

/** A tab that was copied is told, within the bound, that the copy has taken its place. */
function originals(user: UserTimeline, timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const violations: Violation[] = [];
  for (const [index, { kind, at }] of user.events.entries()) {
    if (kind !== 'copied') continue;
    const after = user.events.slice(index + 1);
    const closed = after.find(event => event.kind === 'closed');
    const up = after.find(event => event.kind === 'up');
    const node = nodeAt(user, at);
    const until = closed?.at ?? Number.POSITIVE_INFINITY;
    const violate = (text: string) => violations.push({ check: 'not replaced', at, text, users: [user.user] });
    if (closed?.how === 'left') excuse('tabs that were copied, and left before they were told that they are replaced');
    else if (closed?.how === 'lost' && wasHindered(node, at, until, timeline)) {
      excuse('tabs that were copied, and lost the connection by a fault before they were told that they are replaced');
    } else if (closed?.how === 'lost') {
      violate(`${user.user} had two connections, and the older one was closed without being told why.`);
    }
    const deadline = up ? heardBy(up.at, node, timeline) : Number.POSITIVE_INFINITY;
    if (!up || until <= deadline || deadline > timeline.closingAt) continue;
    const howLong = until === Number.POSITIVE_INFINITY ? 'for good' : `for ${((until - up.at) / 1000).toFixed(1)} s`;
    violate(`${user.user} had two connections with one token ${howLong}.`);
  }
  return violations;
}

/** Whether a fault, or what came of it, may have taken a connection to this node away in that time. */
function wasHindered(node: string | undefined, from: number, until: number, timeline: Timeline): boolean {
  const { faults, stalls, history } = timeline;
  const { boundMs } = history.settings;
  const isFault = faults.some(
    ({ at, healedAt = Infinity, redis, halts, cuts }) =>
      (redis || (node !== undefined && (halts.includes(node) || cuts.includes(node)))) &&
      at <= until &&
      healedAt + boundMs >= from,
  );
  return isFault || stalls.some(({ at, ms }) => at >= from && at - ms <= until);
}

/** Who shows an old token is a new user. It is good until a node has heard of its owner, who may not have the new one. */
function strangers(user: UserTimeline, timeline: Timeline, excuse: (reason: string) => void): Violation[] {
  const violations: Violation[] = [];
  for (const event of user.events) {
    if (event.kind !== 'stranger' || !event.resumed) continue;
    const { at } = event;
    const upAt = user.ups.findLast(up => up.at <= at)?.at ?? at;
    const why = whyGood(user, upAt, at, timeline);
    if (why) excuse(`old tokens that were still good, because ${why}`);
    else {
      const text = `Somebody showed an old token of ${user.user}, who had used the newer one, and got what is theirs.`;
      violations.push({ check: 'old token', at, text, users: [user.user] });
    }
  }
  return violations;
}

/** @param upAt when the owner got the present token @param at when the one before it was shown */
function whyGood(user: UserTimeline, upAt: number, at: number, { faults }: Timeline): string | undefined {
  if (faults.some(fault => fault.losesData && fault.at <= at && (fault.healedAt ?? Infinity) >= upAt))
    return 'Redis lost its data';
  // A skip may be done without a question to a node.
  const heard = user.events.flatMap(event => {
    const isAnswer = event.kind === 'op' && event.outcome === 'ok' && ['search', 'end', 'send'].includes(event.op);
    const endedAt = (isAnswer && event.endedAt) || Number.POSITIVE_INFINITY;
    return isAnswer && event.at >= upAt && endedAt + worthlessWithinMs <= at ? [{ from: event.at, to: endedAt }] : [];
  });
  if (heard.length === 0) return 'their owner had said nothing since';
  const spans = faults.flatMap(fault =>
    fault.redis ? [[fault.at, fault.healedAt ?? Infinity] as const] : touchesOf(fault, user),
  );
  const isHindered = ({ from, to }: { from: number; to: number }) =>
    spans.some(([start, end]) => start <= to + worthlessWithinMs && end + worthlessWithinMs >= from);
  return heard.every(isHindered) ? 'a fault hindered whatever its owner said since' : undefined;
}
