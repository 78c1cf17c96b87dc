import { descendants } from '@passerby/cluster';
import { readCpuTimeUs } from '../linux-processes.ts';

export interface Metered<Result, Group extends string> {
  result: Result;
  seconds: number;
  /** The CPU time that each group used meanwhile, user and system, in µs. */
  cpuUs: Record<Group, number>;
}

/**
 * Does some work, and tells how much CPU time groups of processes used meanwhile.
 * @throws Error where one of them is not there, or there is no /proc that tells
 */
export async function metered<Result, Group extends string>(
  groups: Readonly<Record<Group, readonly number[]>>,
  work: () => Promise<Result>,
): Promise<Metered<Result, Group>> {
  const names = Object.keys(groups) as Group[];
  const read = () => names.map(name => groups[name].map(cpuTimes));
  const before = read();
  const startedAt = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const used = read().map((group, name) => sum(group.map((after, index) => growth(before[name]?.[index], after))));
  const cpuUs = Object.fromEntries(names.map((name, index) => [name, used[index]])) as Record<Group, number>;
  return { result, seconds, cpuUs };
}

/** What has been added to CPU times. One that is there no more adds nothing. */
function growth(before: ReadonlyMap<number, number> = new Map(), after: ReadonlyMap<number, number>): number {
  return sum([...after].map(([pid, us]) => us - (before.get(pid) ?? 0)));
}

/**
 * The CPU time that a process and each of all processes below it has used since it began, in µs. Those that have ended are
 * not in it; our servers keep theirs, but for a few of PostgreSQL's.
 */
function cpuTimes(pid: number): Map<number, number> {
  const own = readCpuTimeUs(pid);
  if (own === undefined) throw new Error(`Nothing tells what the process ${pid} has used.`);
  return new Map([[pid, own], ...descendants(pid).map(each => [each, readCpuTimeUs(each) ?? 0] as const)]);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
