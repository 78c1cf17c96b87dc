import type { Timeline, Violation } from '../timeline.ts';

/** Near the end of the grace time it depends on who looks first. */
const blurMs = 500;

/** A client that resumes and comes back within the grace time is the same user. */
export function checkResumed({ users, faults, history }: Timeline, excuse: (reason: string) => void): Violation[] {
  const violations: Violation[] = [];
  for (const { user, events, downs } of users.values()) {
    const gone = events.find(event => event.kind === 'gone');
    if (gone?.kind !== 'gone' || gone.how !== 'lost') continue;
    const down = downs.find(([, to]) => to === gone.at);
    if (!down || gone.at - down[0] > history.settings.graceMs - blurMs) continue;
    if (
      faults.some(
        ({ losesData, at, healedAt = Infinity }) => losesData && at <= gone.at && healedAt >= down[0] - blurMs,
      )
    ) {
      excuse('users not resumed, because Redis lost its data while they were away');
      continue;
    }
    const away = ((gone.at - down[0]) / 1000).toFixed(2);
    const text = `${user} came back after ${away} s and was not the same user any more.`;
    violations.push({ check: 'not resumed', at: gone.at, text, users: [user] });
  }
  return violations;
}
