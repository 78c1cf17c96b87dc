import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';

/** The kernel counts CPU time in hundredths of a second towards programs, whatever it does within. */
const msPerTick = 10;
const listening = '0A';

export interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  /** In ticks since boot. A pid may be used again; together with this it is unique. */
  readonly startedAt: number;
  /** User and system time since its start. */
  readonly cpuMs: number;
}

/** What is resident. */
export interface ProcessMemory {
  /** Of this process alone. */
  readonly ownBytes: number;
  /** Perhaps the same memory as that of others. */
  readonly sharedBytes: number;
  /** The most that both together ever were. */
  readonly peakBytes: number;
}

/** All processes of this machine; none where there is no /proc. */
export function readProcesses(): Map<number, ProcessState> {
  const processes = pids().map(readProcess);
  return new Map(processes.flatMap(process => (process === undefined ? [] : [[process.pid, process]])));
}

/** The program and its arguments; empty for one that has ended or is none of ours to look at. */
export function readCommand(pid: number): string[] {
  return (read(`/proc/${pid}/cmdline`) ?? '').split('\0').filter(part => part !== '');
}

/** The path of a file that a process was given, which may be relative to the folder it runs in. */
export function pathSeenBy(pid: number, path: string): string {
  return resolve(link(`/proc/${pid}/cwd`) ?? '/', path);
}

/** Resident memory; undefined for a process that has ended. */
export function readMemory(pid: number): ProcessMemory | undefined {
  const status = read(`/proc/${pid}/status`);
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status ?? '')?.[1] ?? 0) * 1024;
  if (!status?.includes('\nVmRSS:')) return undefined;
  return {
    ownBytes: bytes('RssAnon'),
    sharedBytes: bytes('RssFile') + bytes('RssShmem'),
    peakBytes: bytes('VmHWM'),
  };
}

/**
 * The CPU time that a process has used since it began, user and system, with all its threads, in µs. The kernel counts it in
 * ns. Threads that have ended are not in it. Undefined for a process that has ended.
 */
export function readCpuTimeUs(pid: number): number | undefined {
  const threads = list(`/proc/${pid}/task`);
  if (threads.length === 0) return undefined;
  const ns = threads.map(thread => Number(read(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ', 1)[0] ?? 0));
  return ns.reduce((sum, each) => sum + each, 0) / 1000;
}

/** The processes that listen on one of the TCP ports, in the order of the ports. */
export function listenersOn(ports: readonly number[]): number[] {
  const inodes = listeningInodes();
  const wanted = ports.flatMap(port => inodes.get(port) ?? []);
  if (wanted.length === 0) return [];
  const owners = new Map<string, number[]>();
  for (const pid of pids()) {
    for (const inode of new Set(socketInodes(pid))) {
      if (wanted.includes(inode)) owners.set(inode, [...(owners.get(inode) ?? []), pid]);
    }
  }
  return [...new Set(wanted.flatMap(inode => owners.get(inode) ?? []))];
}

function pids(): number[] {
  return list('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number);
}

function readProcess(pid: number): ProcessState | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name of the program is in parentheses, and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z') return undefined;
  const number = (at: number): number => Number(fields[at]);
  return { pid, parent: number(1), startedAt: number(19), cpuMs: (number(11) + number(12)) * msPerTick };
}

function listeningInodes(): Map<number, string[]> {
  const inodes = new Map<number, string[]>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (read(table) ?? '').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state !== listening) continue;
      const port = Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16);
      inodes.set(port, [...(inodes.get(port) ?? []), inode]);
    }
  }
  return inodes;
}

function socketInodes(pid: number): string[] {
  return list(`/proc/${pid}/fd`).flatMap(descriptor => {
    const target = link(`/proc/${pid}/fd/${descriptor}`) ?? '';
    return /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [];
  });
}

/** Processes end while one looks at them, and those of others may not be looked at. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
