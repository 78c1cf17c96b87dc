import { readdirSync, readFileSync } from 'node:fs';

/** CPU time, user and system, in µs; a figure for each group of processes that was asked for. */
export type CpuTimes = Record<string, number>;

export interface Metered<Result> {
  result: Result;
  seconds: number;
  /** What each group used meanwhile. */
  cpuUs: CpuTimes;
}

/** Does some work, and tells how much CPU time groups of processes used meanwhile. */
export async function metered<Result>(
  groups: Readonly<Record<string, readonly number[]>>,
  work: () => Promise<Result>,
): Promise<Metered<Result>> {
  const read = () => Object.entries(groups).map(([name, pids]) => [name, sum(pids.map(cpuTimeUs))] as const);
  const before = new Map(read());
  const startedAt = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuUs = Object.fromEntries(read().map(([name, after]) => [name, after - (before.get(name) ?? 0)]));
  return { result, seconds, cpuUs };
}

/**
 * The CPU time that a process, with all its threads and all processes below it that live now, has used since it began, in µs.
 * The kernel counts it in ns. What processes used that have ended is not in it: PostgreSQL's end with their connections.
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
