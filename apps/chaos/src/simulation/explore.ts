import { check, type Verdict } from '../check.ts';
import { explain } from '../report.ts';
import { type Plan, planOf } from './plan.ts';
import { shrink } from './shrink.ts';
import { type Simulated, simulate } from './simulate.ts';
import type { SimulationOptions } from './simulation-options.ts';

const sayEveryMs = 10_000;

export type ExploreOptions = Omit<SimulationOptions, 'plan'> & { plan?: Plan | undefined };

export interface Explored {
  runs: number;
  faults: number;
  messages: number;
  events: number;
  /** How many runs had violations. */
  violations: number;
  /** The shortest history that shows the first one. */
  shortest: Plan | undefined;
}

/** Lives through one seed after the other until enough is seen, or something is found that must never happen. */
export async function explore(options: ExploreOptions, say: (text: string) => void): Promise<Explored> {
  const { seed, faults, minutes, only, broken, goOn } = options;
  const found: Explored = { runs: 0, faults: 0, messages: 0, events: 0, violations: 0, shortest: undefined };
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  let saidAt = 0;
  const tell = () => {
    const perMinute = Math.round((found.faults / elapsedMs()) * 60_000);
    const figures = `${found.runs} runs, ${found.faults} faults, ${found.messages} messages, ${found.events} events`;
    say(
      `${(elapsedMs() / 1000).toFixed(0).padStart(6)} s  ${figures}; ${perMinute} faults a minute; ${found.violations} runs with violations`,
    );
  };
  say(options.plan ? 'One plan.' : `Seeds from ${seed}.`);
  while (found.faults < faults && elapsedMs() < minutes * 60_000) {
    const plan = options.plan ?? planOf(seed + found.runs, { names: only });
    const lived = await live(plan, broken);
    found.runs++;
    found.events += lived.run?.events ?? 0;
    found.messages += lived.run?.messages ?? 0;
    found.faults += lived.run?.faults ?? 0;
    if (lived.problems.length > 0) {
      found.violations++;
      say(
        `\nSeed ${plan.seed}: ${lived.problems.length} violations. npm run test:sim -- --seed ${plan.seed}${broken ? ` --break ${broken}` : ''}`,
      );
      if (!goOn) {
        await shorten(plan, lived, found, broken, say);
        break;
      }
      for (const problem of lived.problems.slice(0, 3)) say(`  ${problem}`);
    }
    if (options.plan) break;
    if (elapsedMs() - saidAt < sayEveryMs) continue;
    saidAt = elapsedMs();
    tell();
  }
  tell();
  return found;
}

interface Lived {
  run?: Simulated;
  verdict?: Verdict;
  /** Kinds and sentences. */
  problems: string[];
  kinds: Set<string>;
}

async function live(plan: Plan, broken: string | undefined): Promise<Lived> {
  try {
    const run = await simulate(plan, { broken });
    const verdict = check(run.history);
    const { violations } = verdict;
    return {
      ...{ run, verdict, kinds: new Set(violations.map(({ check }) => check)) },
      problems: violations.map(each => `${each.check} at ${(each.at / 1000).toFixed(2)} s: ${each.text}`),
    };
  } catch (error) {
    return { problems: [`broken off: ${(error as Error).message}`], kinds: new Set(['broken off']) };
  }
}

async function shorten(
  plan: Plan,
  { kinds }: Lived,
  found: Explored,
  broken: string | undefined,
  say: (text: string) => void,
): Promise<void> {
  const [kind = ''] = kinds;
  const shortest = await shrink(plan, async each => (await live(each, broken)).kinds.has(kind));
  found.shortest = shortest;
  const { faults, people, ms } = shortest;
  const names = faults.map(({ at, name }) => `${name} at ${(at / 1000).toFixed(2)} s`).join(', ');
  say(`Shrunk to ${people.length} people and ${faults.length} faults in ${(ms / 1000).toFixed(1)} s: ${names}.\n`);
  const { verdict, problems } = await live(shortest, broken);
  say(verdict ? explain(verdict) : problems.join('\n'));
}
