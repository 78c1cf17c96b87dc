import { nodeAt, restoredAt, type Timeline, type Violation } from '../timeline.ts';

/** Near the end of the grace time it depends on who looks first. */
const blurMs = 500;

/** A client that resumes and comes back within the grace time is the same user. */
export function checkResumed(all: Timeline, excuse: (reason: string) => void): Violation[] {
  const { users, faults, history } = all;
  const violations: Violation[] = [];
  const { graceMs, leaseMs } = history.settings;
  for (const timeline of users.values()) {
    const { user, events, downs, stays } = timeline;
    const gone = events.find(event => event.kind === 'gone');
    if (gone?.kind !== 'gone' || gone.how !== 'lost') continue;
    const down = downs.find(([, to]) => to === gone.at);
    if (!down || gone.at - down[0] > graceMs - blurMs) continue;
    if (!timeline.goneWaiting && !stays.some(stay => stay.goneAt === gone.at)) {
      excuse('users not resumed who were in no chat and did not wait: there was nothing to resume');
      continue;
    }
    const node = nodeAt(timeline, down[0]);
    const given = faults.some(
      fault =>
        (fault.redis || (node !== undefined && (fault.halts.includes(node) || fault.cuts.includes(node)))) &&
        fault.at + leaseMs + graceMs - blurMs <= gone.at &&
        // Or the last of several that followed each other before the node was back.
        restoredAt(fault, node, all) >= down[0],
    );
    if (given) {
      excuse('users not resumed, because their node was away for longer than a lease and the grace time');
      continue;
    }
    if (faults.some(fault => fault.losesData && fault.at <= gone.at && restoredAt(fault, node, all) >= down[0])) {
      excuse('users not resumed, because Redis lost its data while they were away, or shortly before');
      continue;
    }
    const away = ((gone.at - down[0]) / 1000).toFixed(2);
    const text = `${user} came back after ${away} s and was not the same user any more.`;
    violations.push({ check: 'not resumed', at: gone.at, text, users: [user] });
  }
  return violations;
}
