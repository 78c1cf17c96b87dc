import type { Plan } from './plan.ts';

/** Whether a plan still shows what is looked for. */
export type StillFails = (plan: Plan) => Promise<boolean>;

/**
 * Takes out of a plan whatever is not needed for it to fail: people, faults and time, many at once at first. Stops after
 * `mostTries`.
 */
export async function shrink(plan: Plan, stillFails: StillFails, mostTries = 200): Promise<Plan> {
  let best = plan;
  let tries = 0;
  const attempt = async (candidate: Plan): Promise<boolean> => {
    if (tries >= mostTries) return false;
    tries++;
    if (!(await stillFails(candidate))) return false;
    best = candidate;
    return true;
  };
  const without = async (key: 'faults' | 'people'): Promise<void> => {
    for (let size = Math.ceil(best[key].length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < best[key].length; ) {
        const left = [...best[key].slice(0, from), ...best[key].slice(from + size)];
        if (!(await attempt({ ...best, [key]: left }))) from += size;
      }
    }
  };
  for (let before: Plan | undefined; before !== best && tries < mostTries; ) {
    before = best;
    await without('faults');
    await without('people');
    // Only what comes before the end of the load counts.
    for (const share of [0.25, 0.5, 0.75]) if (await attempt({ ...best, ms: Math.round(best.ms * share) })) break;
  }
  return best;
}
