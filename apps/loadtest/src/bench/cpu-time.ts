import { readdirSync, readFileSync } from 'node:fs';

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
 * The CPU time that a process and each of all processes below it has used since it began, with all its threads, in µs. The
 * kernel counts it in ns. Threads and processes that have ended are not in it; our servers keep theirs, but for a few of
 * PostgreSQL's.
 */
function cpuTimes(pid: number): Map<number, number> {
  if (tasksOf(pid).length === 0) throw new Error(`Nothing tells what the process ${pid} has used.`);
  return new Map([pid, ...descendants(pid)].map(each => [each, ownCpuTimeUs(each)]));
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
  return ifThere(() => readdirSync(folder), []).map(id => `${folder}/${id}`);
}

function contents(file: string): string {
  return ifThere(() => readFileSync(file, 'utf8'), '');
}

/** Reads what may be of a thread or a process that has just ended. */
function ifThere<Result>(read: () => Result, otherwise: Result): Result {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return otherwise;
    throw error;
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
