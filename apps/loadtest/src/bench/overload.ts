import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from './client.ts';
import { metered } from './cpu-time.ts';
import { startLoad } from './load-process.ts';
import type { Asked, Kind, OverloadCommands } from './overload-worker.ts';
import type { Row } from './row.ts';
import type { Bench, Scenario } from './scenario.ts';
import { WorkerProcess } from './worker-process.ts';

/** How many times what a node can take it is asked for. */
const times = 5;
const pairs = 50;
/** What the chats say that must not notice anything. */
const messagesPerSecond = 500;
const mostRounds = 3;
const seconds = 5;
/** Everything is to be normal so long after the load fell. */
const normalWithinMs = 10_000;
const lookEveryMs = 200;
/** The load gives way to Redis and to the chats that are watched. */
const nice = 10;

interface Turn {
  /** p99 of delivery in the chats that are watched, in ms: with nothing else, at 70 % of what the node can do, at five times, after. */
  quiet: number;
  normal: number;
  over: number;
  after: number;
  /** Of sending, p99, in ms; and the greatest of the process that makes the load. */
  lateness: number;
  loadLateness: number;
  /** What was done, as a share of the most that the node can do. */
  goodput: number;
  /** How many times the most it was asked for: the load may have reached its own limit. */
  times: number;
  most: number;
  putOff: number;
  hungUp: number;
  wrong: number;
  leasesLost: number;
  normalAfter: number;
  nodeBusy: number;
}

/** A node is asked for five times what it can do of something, while others chat there. */
function overload(name: string, kinds: Kind[]): Scenario {
  return async bench => {
    const rounds = Math.min(bench.repeat, mostRounds);
    const turns: Turn[] = [];
    for (let round = 1; round <= rounds; round++) {
      turns.push(await turn(bench, kinds));
      await bench.servers.stopContestants();
      bench.say(`Round ${round} of ${rounds} is done.`);
    }
    return rowsOf(`${times} × ${name}`, turns);
  };
}

export const overloads: Record<string, Scenario> = {
  'overload-connects': overload('connects', ['connects']),
  'overload-searches': overload('searches', ['searches']),
  'overload-messages': overload('messages', ['messages']),
  'overload-mixed': overload('a third of each', ['connects', 'searches', 'messages']),
};

async function turn({ servers, scale }: Bench, kinds: Kind[]): Promise<Turn> {
  const redis = await servers.redis();
  const cores = coresOf(redis.process.pid);
  const node = await servers.chatNode({ redisUrl: redis.url, core: cores?.node });
  const chats = startLoad();
  const load = new WorkerProcess<OverloadCommands>('overload-worker');
  try {
    cores?.share(chats.pid, load.pid);
    const duration = Math.max(1, seconds * scale);
    const flow = (part = 1) => chats.tell('flow', { messagesPerSecond, seconds: duration * part });
    await chats.tell('connectPairs', { ports: [node.port], count: pairs, pairing: 'search' });
    await flow(0.5);
    const most: Partial<Record<Kind, number>> = {};
    for (const kind of kinds) {
      await load.tell('prepare', { port: node.port, kind });
      // The first time is for the node to find its pace, and its code to be compiled.
      await load.tell('most', { kind, seconds: duration });
      most[kind] = await load.tell('most', { kind, seconds: duration });
    }
    await untilNormal(node.port);
    const quiet = await flow();
    const offer = (share: number) => {
      const perSecond = Object.fromEntries(kinds.map(kind => [kind, ((most[kind] ?? 0) * share) / kinds.length]));
      return load.tell('offer', { perSecond, seconds: duration });
    };
    const [normal] = await Promise.all([flow(), offer(0.7)]);
    const {
      result,
      cpuUs,
      seconds: took,
    } = await metered({ node: [node.pid] }, () => Promise.all([flow(), offer(times)]));
    const [over, { asked, latestMs, seconds: offeredFor }] = result;
    const normalAfter = await untilNormal(node.port);
    const after = await flow();
    const all = kinds.map(kind => asked[kind]);
    const total = (value: (each: Asked) => number) => all.reduce((sum, each) => sum + value(each), 0);
    const shares = kinds.map(kind => asked[kind].done / offeredFor / (most[kind] ?? Number.NaN));
    return {
      ...{ quiet: quiet.p99, normal: normal.p99, over: over.p99, after: after.p99 },
      ...{ lateness: over.lateness, loadLateness: latestMs, normalAfter },
      goodput: shares.reduce((sum, share) => sum + share, 0),
      times: kinds.reduce((sum, kind) => sum + asked[kind].offered / offeredFor / (most[kind] ?? Number.NaN), 0),
      most: Object.values(most).reduce((sum, perSecond) => sum + perSecond, 0) / kinds.length,
      putOff: total(({ putOff }) => putOff) / offeredFor,
      hungUp: total(({ hungUp }) => hungUp) / offeredFor,
      wrong: total(({ wrong }) => wrong),
      leasesLost: (await readFile(node.logFile, 'utf8')).split('The lease of this node is lost').length - 1,
      nodeBusy: cpuUs.node / 1e6 / took,
    };
  } finally {
    await Promise.all([chats.stop(), load.stop()]);
  }
}

/** Resolves as soon as the node takes users, and one comes in and may search. @returns after how many seconds */
async function untilNormal(port: number): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false);
    if (isReady && (await canSearch(port).catch(() => false))) return (performance.now() - startedAt) / 1000;
    if (performance.now() - startedAt > 3 * normalWithinMs) throw new Error('The node did not recover.');
    await delay(lookEveryMs);
  }
}

async function canSearch(port: number): Promise<boolean> {
  const client = await Client.connect(port);
  const { ok } = (await client.ask('search')) as { ok: boolean };
  client.close();
  return ok;
}

/**
 * The node gets a core of its own, if there is more than one, and everything else the other ones. There, the chats that are
 * watched go before all others: that they are late must be the node's doing.
 */
function coresOf(redis: number | undefined) {
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: 'ignore' });
  const toOthers = (pid: number | undefined) =>
    run('taskset', '-a', '-c', '-p', `1-${os.cpus().length - 1}`, String(pid));
  try {
    if (os.cpus().length < 2) return undefined;
    toOthers(redis);
  } catch {
    // There is no taskset.
    return undefined;
  }
  return {
    node: 0,
    share(chats: number, load: number): void {
      for (const pid of [chats, load]) toOthers(pid);
      os.setPriority(load, Math.min(19, os.getPriority() + nice));
      try {
        os.setPriority(chats, -20);
      } catch {
        // Only root may do that.
      }
    },
  };
}

function rowsOf(what: string, turns: readonly Turn[]): Row[] {
  const row = (name: string, unit: string, value: (turn: Turn) => number, goal?: Row['goal']): Row => ({
    ...{ what: `${what}, ${name}`, unit, ours: turns.map(value), ...(goal && { goal }) },
  });
  const p99: Row = row('delivery in a chat, p99', 'ms', ({ over }) => over);
  return [
    {
      ...p99,
      ...{ other: { name: 'at 70 %', values: turns.map(({ normal }) => normal) }, goal: { of: 'ratio', atMost: 5 } },
    },
    { ...p99, other: { name: 'nothing else', values: turns.map(({ quiet }) => quiet) } },
    row('lateness of the chats, p99', 'ms', ({ lateness }) => lateness),
    row('goodput, of the most', '', ({ goodput }) => goodput, { of: 'ours', atLeast: 0.8 }),
    row('asked for, times the most', '', ({ times }) => times),
    row('lateness of the load, at most', 'ms', ({ loadLateness }) => loadLateness),
    row('the most', '/s', ({ most }) => most),
    row('put off, with a time to come back', '/s', ({ putOff }) => putOff),
    row('hung up on', '/s', ({ hungUp }) => hungUp),
    // Of all rounds together: a median would hide some.
    {
      ...row('violations, and leases lost', '', () => 0),
      ours: [turns.reduce((sum, { wrong, leasesLost }) => sum + wrong + leasesLost, 0)],
      goal: { of: 'ours', atMost: 0 },
    },
    row('normal again after', 's', ({ normalAfter }) => normalAfter, { of: 'ours', atMost: normalWithinMs / 1000 }),
    row('cores used by the node', '', ({ nodeBusy }) => nodeBusy),
  ];
}
