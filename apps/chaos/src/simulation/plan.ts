import type { ClientKind } from '../history.ts';
import { seededRandom } from '../random.ts';
import { simulatedFaultNames } from './simulated-faults.ts';

export interface PlannedFault {
  /** In ms since the load began. */
  at: number;
  name: string;
  /** What it is done to, and for how long. */
  seed: number;
}

/** All that a seed decides beforehand. What is taken out of it leaves the rest as it is. */
export interface Plan {
  seed: number;
  nodes: number;
  /** What each person does in a second. */
  rate: number;
  /** How long faults may begin. */
  ms: number;
  people: { name: string; kind: ClientKind; seed: number }[];
  faults: PlannedFault[];
}

export interface PlanOptions {
  /** The names of the faults to choose from. */
  names?: readonly string[] | undefined;
}

/** In some runs faults are rare, and in some they do not end before the next ones begin. */
const gapsMs = [200, 400, 800, 2000];

export function planOf(seed: number, { names = simulatedFaultNames }: PlanOptions = {}): Plan {
  const random = seededRandom(seed);
  const whole = () => random.whole(0, 2 ** 31);
  const ms = random.whole(20_000, 60_000);
  const gapMs = random.pick(gapsMs);
  // Swarms: a run of few kinds of faults goes deeper into them than one of all.
  const few = random.shuffled(names).slice(0, random.whole(1, Math.max(1, names.length)));
  const faults: PlannedFault[] = [];
  for (let at = gapMs * random.next(); at < ms; at += -Math.log(1 - random.next()) * gapMs) {
    faults.push({ at, name: random.pick(few), seed: whole() });
  }
  const people = Array.from({ length: random.whole(3, 14) }, (_, index) => ({
    name: `p${index + 1}`,
    kind: random.next() < 0.5 ? ('resuming' as const) : ('plain' as const),
    seed: whole(),
  }));
  return { seed, nodes: random.whole(2, 4), rate: random.pick([1, 2, 4]), ms, people, faults };
}
