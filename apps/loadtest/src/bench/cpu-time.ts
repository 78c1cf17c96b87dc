import { readdirSync, readFileSync } from 'node:fs';

export interface Metered<Result, Group extends string> {
  result: Result;
  seconds: number;
  /** The CPU time that each group used meanwhile, user and system, in µs. */
  cpuUs: Record<Group, number>;
}

/** Does some work, and tells how much CPU time groups of processes used meanwhile. */
export async function metered<Result, Group extends string>(
  groups: Readonly<Record<Group, readonly number[]>>,
  work: () => Promise<Result>,
): Promise<Metered<Result, Group>> {
  const names = Object.keys(groups) as Group[];
  const read = () => names.map(name => sum(groups[name].map(cpuTimeUs)));
  const before = read();
  const startedAt = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const used = read().map((after, index) => after - (before[index] ?? 0));
  const cpuUs = Object.fromEntries(names.map((name, index) => [name, used[index]])) as Record<Group, number>;
  return { result, seconds, cpuUs };
}

/**
 * The CPU time that a process, with all its threads and all processes below it that live now, has used since it began, in µs.
 * The kernel counts it in ns. What threads and processes used that have ended is not in it: those of our servers live on.
 * @throws Error where there is no such process, or no /proc that tells
 */
export function cpuTimeUs(pid: number): number {
  return sum([pid, ...descendants(pid)].map(ownCpuTimeUs));
}

function ownCpuTimeUs(pid: number): number {
  return sum(tasksOf(pid).map(task => Number(contents(`${task}/schedstat`).split(' ', 1)[0]) / 1000));
}

function descendants(pid: number): number[] {
  const children = tasksOf(pid).flatMap(task => contents(`${task}/children`).split(' ').filter(Boolean).map(Number));
  return children.flatMap(child => [child, ...descendants(child)]);
}

function tasksOf(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map(id => `${folder}/${id}`);
}

/** Empty for a thread that has just ended. */
function contents(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
