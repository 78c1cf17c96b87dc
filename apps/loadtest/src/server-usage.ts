import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { basename, dirname } from 'node:path';
import {
  listenersOn,
  type ProcessState,
  pathSeenBy,
  readCommand,
  readMemory,
  readProcesses,
} from './linux-processes.ts';
import type { ServerSample } from './load-report.ts';

/** What the parts of a cluster are called, by what their command line says. Others are called by their program. */
const knownServers: readonly (readonly [name: string, command: RegExp])[] = [
  ['public address', /\/(scripts\/start\.mjs|cluster\/dist\/main\.js)$/],
  ['chat node', /\/chat-node\/dist\/main\.js$/],
  ['recorder', /\/recorder\/dist\/main\.js$/],
  ['Redis', /^(redis|valkey)-server$/],
  ['PostgreSQL', /^(postgres|postmaster)$/],
];
const supervisor = 'public address';
/** They do their work in processes of their own, of which nobody wants to hear one by one. */
const databases = ['Redis', 'PostgreSQL'];
/** A port's process is looked for again after this time if it has gone: looking takes a while. */
const searchAgainMs = 5000;

interface Kind {
  readonly name: string;
  /** Whether it is a part of a cluster. */
  readonly known: boolean;
}

/**
 * What the servers behind the targets use of this machine: the processes that listen there, all that they started, and
 * the chat nodes, recorder and databases that were started together with them. Nothing is known of targets elsewhere, nor
 * on systems other than Linux.
 */
export class ServerUsage {
  readonly #ports: readonly number[];
  /** CPU time of each process at the last look. */
  readonly #cpuMs = new Map<string, number>();
  /** Which server a process is, or belongs to. */
  readonly #names = new Map<string, string>();
  readonly #kinds = new Map<string, Kind>();
  #listeners: ProcessState[] = [];
  #searchedAt = -Infinity;
  #sampledAt = performance.now();

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.sample();
  }

  /** Begins to watch. `targets` are addresses such as `http://localhost:3000`. Never rejects. */
  static async of(targets: readonly string[]): Promise<ServerUsage> {
    const ports = await Promise.all(targets.map(localPort));
    return new ServerUsage([...new Set(ports.flat())]);
  }

  /** What each server used since the last call, or since the beginning; in the order in which they were started. */
  sample(): ServerSample[] {
    if (this.#ports.length === 0) return [];
    const processes = readProcesses();
    const elapsedMs = performance.now() - this.#sampledAt;
    this.#sampledAt += elapsedMs;
    this.#search(processes);
    const byServer = grouped(this.#watched(processes), process => this.#nameOf(process, processes));
    return [...byServer].flatMap(([name, all]) => this.#measure(name, all, elapsedMs));
  }

  #search(processes: ReadonlyMap<number, ProcessState>): void {
    const allThere =
      this.#listeners.length > 0 &&
      this.#listeners.every(({ pid, startedAt }) => processes.get(pid)?.startedAt === startedAt);
    if (allThere || performance.now() - this.#searchedAt < searchAgainMs) return;
    this.#searchedAt = performance.now();
    this.#listeners = listenersOn(this.#ports).flatMap(pid => processes.get(pid) ?? []);
  }

  /** The processes that belong to the servers, the oldest first; never this one or those that it started. */
  #watched(processes: ReadonlyMap<number, ProcessState>): ProcessState[] {
    const children = grouped(processes.values(), ({ parent }) => parent);
    const found = new Map<number, ProcessState>();
    const add = (server: ProcessState | undefined): void => {
      if (server === undefined || found.has(server.pid) || server.pid === process.pid) return;
      // It has been forked just now, and does not run its own program yet.
      if (found.has(server.parent) && this.#kindOf(server).name === supervisor) return;
      found.set(server.pid, server);
      for (const child of children.get(server.pid) ?? []) add(child);
    };
    for (const listener of this.#listeners) {
      const parent = processes.get(listener.parent);
      if (parent !== undefined && this.#kindOf(parent).name === supervisor) add(parent);
      add(processes.get(listener.pid));
      // What runs below the first process of the machine has nothing to do with each other.
      const siblings = listener.parent > 1 ? (children.get(listener.parent) ?? []) : [];
      for (const sibling of siblings) if (this.#kindOf(sibling).known) add(sibling);
    }
    return [...found.values()].toSorted((one, other) => one.startedAt - other.startedAt || one.pid - other.pid);
  }

  #kindOf(process: ProcessState): Kind {
    const key = keyOf(process);
    const kind = this.#kinds.get(key) ?? kindOf(process.pid);
    if (kind.known) this.#kinds.set(key, kind);
    return kind;
  }

  #nameOf(process: ProcessState, processes: ReadonlyMap<number, ProcessState>): string {
    const key = keyOf(process);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const parent = processes.get(process.parent);
    const parentName = parent && this.#names.get(keyOf(parent));
    const name =
      parentName !== undefined && databases.includes(parentName)
        ? parentName
        : this.#freeName(this.#kindOf(process).name, processes);
    this.#names.set(key, name);
    return name;
  }

  /** A server that was started again gets the name of the one that has gone. */
  #freeName(kind: string, processes: ReadonlyMap<number, ProcessState>): string {
    const alive = new Set([...processes.values()].map(keyOf));
    const taken = new Set([...this.#names].flatMap(([key, name]) => (alive.has(key) ? [name] : [])));
    for (let number = 1; ; number += 1) {
      const name = number === 1 && kind !== 'chat node' ? kind : `${kind} ${number}`;
      if (!taken.has(name)) return name;
    }
  }

  #measure(name: string, processes: readonly ProcessState[], elapsedMs: number): ServerSample[] {
    const memory = processes.flatMap(({ pid }) => readMemory(pid) ?? []);
    if (memory.length === 0) return [];
    // What a process used before it was first seen may be long ago.
    const usedMs = sum(processes.map(process => process.cpuMs - (this.#cpuMs.get(keyOf(process)) ?? process.cpuMs)));
    for (const process of processes) this.#cpuMs.set(keyOf(process), process.cpuMs);
    const rssBytes =
      sum(memory.map(({ ownBytes }) => ownBytes)) + Math.max(...memory.map(({ sharedBytes }) => sharedBytes));
    return [{ name, cpu: elapsedMs > 0 ? usedMs / elapsedMs : 0, rssBytes }];
  }
}

/** The port of a target on this machine; none for others. */
async function localPort(target: string): Promise<number[]> {
  try {
    const { hostname, port, protocol } = new URL(target);
    const addresses = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
    const ours = Object.values(networkInterfaces()).flatMap(all => all?.map(({ address }) => address) ?? []);
    const isLocal = addresses.some(({ address }) => ours.includes(address) || address.startsWith('127.'));
    return isLocal ? [Number(port) || (/^(https|wss):$/.test(protocol) ? 443 : 80)] : [];
  } catch {
    return [];
  }
}

function kindOf(pid: number): Kind {
  const words = readCommand(pid);
  // A cluster starts its parts with the help of setpriv, which becomes the program that follows.
  const own = basename(words[0] ?? '') === 'setpriv' ? words.slice(words.indexOf('--') + 1) : words;
  // A server may write what it is doing in place of its arguments: `postgres: checkpointer`.
  const [program = 'server', ...args] = own;
  const script = basename(program) === 'node' ? args.find(arg => !arg.startsWith('-')) : undefined;
  const command = script === undefined ? basename(program.split(/[: ]/)[0] ?? program) : pathSeenBy(pid, script);
  const known = knownServers.find(([, pattern]) => pattern.test(command));
  return known ? { name: known[0], known: true } : { name: shortName(command), known: false };
}

/** `bare` for `…/bare.ts`, and for `…/bare/main.js`, `…/bare/dist/index.js` and the like. */
function shortName(command: string): string {
  const name = basename(command).replace(/\.[cm]?[jt]s$/, '');
  if (!/^(main|index|server|start|dist|src)$/.test(name) || dirname(command) === command) return name || 'server';
  const folder = shortName(dirname(command));
  return folder === 'server' ? name : folder;
}

function keyOf({ pid, startedAt }: ProcessState): string {
  return `${pid}@${startedAt}`;
}

function grouped<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
