import { readdirSync, readFileSync } from 'node:fs';

/** Sends a signal to a process and to all below it, from the top. Those below are known only where there is a /proc. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const each of [pid, ...descendants(pid)]) {
    try {
      process.kill(each, signal);
    } catch {
      // It has just ended.
    }
  }
}

/** All processes below a process, from the top; none where there is no /proc. */
export function descendants(pid: number): number[] {
  const found = [pid];
  const parents = readParents();
  for (const ancestor of found) {
    for (const [child, parent] of parents) if (parent === ancestor) found.push(child);
  }
  return found.slice(1);
}

function readParents(): [pid: number, parent: number][] {
  try {
    const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
    return pids.flatMap(pid => {
      try {
        const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return [[Number(pid), Number(parent)] as [number, number]];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
