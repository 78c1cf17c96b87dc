import { setTimeout as delay } from 'node:timers/promises';
import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type LoadProcess, startLoad } from './load-process.ts';
import type { Goal, Row } from './row.ts';
import type { Bench, Scenario } from './scenario.ts';
import type { Contestant } from './servers.ts';

/** How many pairs play, and so how many messages are in flight; and the fewest that do when little is to be done. */
const pairs = 200;
const fewestPairs = 20;
/** In each turn. Many short turns are disturbed less than a few long ones: what disturbs is in few of them. */
const messages = 5_000;
const roundsEach = 4;
/**
 * Before the first round, by each. Until then much of the time goes into compiling what is called often. That is more code in
 * Passerby than in what it is compared with, but it is done once.
 */
const warmUpMessages = 40_000;
/** The nodes on which the pairs are, and all that there are where most have nothing to do with the chats. */
const nodesOfPairs = 2;
const allNodes = 8;
const allNodesAtLeast = 3;
/** Nodes that do nothing are watched for this long in each round. */
const idleMs = 3000;
const idleMsAtLeast = 300;

/** What one contestant did in one round: µs of CPU per message, of all servers and of some, and messages per second. */
interface Turn {
  all: number;
  nodes: number;
  redis: number;
  perSecond: number;
  /** What the load process used, in cores. */
  load: number;
}

export const relayOnOneNode: Scenario = async bench => {
  const { servers } = bench;
  const [passerby, bare] = await Promise.all([servers.passerby({ nodes: 1 }), servers.competitor('bare')]);
  const turns = await relayInRounds(bench, [passerby, bare]);
  const row = (name: string, unit: string, part: keyof Turn, goal?: Goal) =>
    compare(turns, [passerby, bare], { what: `relay on one node, ${name}`, unit, part, goal });
  return [
    row('CPU per message', 'µs', 'all', { of: 'ratio', atMost: 1.25 }),
    row('rate', 'messages/s', 'perSecond'),
    row('CPU of the load process', 'cores', 'load'),
  ];
};

export const relayBetweenTwo: Scenario = async bench => {
  const { servers } = bench;
  const [passerby, classic, sharded, channels] = await Promise.all([
    servers.passerby({ nodes: 2 }),
    servers.competitor('classic', { nodes: 2 }),
    servers.competitor('sharded', { nodes: 2 }),
    servers.competitor('channels', { nodes: 2 }),
  ]);
  const turns = await relayInRounds(bench, [passerby, classic, sharded, channels]);
  const row = (other: Contestant, name: string, unit: string, part: keyof Turn, goal?: Goal) =>
    compare(turns, [passerby, other], { what: `relay between 2 nodes, ${name}`, unit, part, goal });
  return [
    row(classic, 'CPU per message', 'µs', 'all', { of: 'ratio', atMost: 0.6 }),
    row(sharded, 'CPU per message', 'µs', 'all'),
    row(channels, 'CPU per message', 'µs', 'all'),
    // What is left when all checks and features are taken away.
    compare(turns, [channels, classic], {
      what: 'the same, of channels in place of Passerby',
      unit: 'µs',
      part: 'all',
    }),
    row(classic, 'CPU of the nodes per message', 'µs', 'nodes'),
    row(classic, 'CPU of Redis per message', 'µs', 'redis', { of: 'ours', atMost: 5 }),
    row(channels, 'CPU of Redis per message', 'µs', 'redis', { of: 'ratio', atMost: 5 / 3 }),
    row(classic, 'rate', 'messages/s', 'perSecond'),
  ];
};

export const relayAmongEight: Scenario = async bench => {
  const { servers, scale } = bench;
  const nodes = Math.max(allNodesAtLeast, Math.round(allNodes * scale));
  const [passerby, classic, sharded, two] = await Promise.all([
    servers.passerby({ nodes }),
    servers.competitor('classic', { nodes }),
    servers.competitor('sharded', { nodes }),
    servers.passerby({ nodes: 2 }),
  ]);
  const turns = await relayInRounds(bench, [passerby, classic, sharded, two]);
  const [oursAtRest = [], othersAtRest = []] = await idleCosts(bench, [passerby, classic]);
  const row = (other: Contestant, name: string, unit: string, part: keyof Turn, goal?: Goal) =>
    compare(turns, [passerby, other], { what: `relay with ${nodes} nodes, the chat on 2, ${name}`, unit, part, goal });
  return [
    row(classic, 'CPU per message', 'µs', 'all', { of: 'ratio', atMost: 0.4 }),
    row(two, 'CPU per message', 'µs', 'all', { of: 'ratio', atMost: 1.05 }),
    row(sharded, 'CPU per message', 'µs', 'all'),
    row(classic, 'rate', 'messages/s', 'perSecond'),
    {
      ...{ what: 'CPU of a node that does nothing', unit: 'ms/s', ours: oursAtRest },
      other: { name: classic.name, values: othersAtRest },
    },
  ];
};

/** What a node on which nobody ever was uses when there is nothing to do, in ms of CPU per second; of all at the same time. */
async function idleCosts(bench: Bench, contestants: readonly Contestant[]): Promise<number[][]> {
  const groups = contestants.map(({ processes }) => processes.nodes.slice(nodesOfPairs));
  // The first round is for the others to settle.
  const rounds = await inRounds({ ...bench, say: () => {} }, [
    () => metered(Object.fromEntries(groups.entries()), () => delay(Math.max(idleMsAtLeast, idleMs * bench.scale))),
  ]);
  const costOf = (pids: readonly number[], index: number) =>
    rounds.flat().map(({ cpuUs, seconds }) => (cpuUs[index] ?? Number.NaN) / 1000 / seconds / pids.length);
  return groups.map(costOf);
}

/** Each contestant relays, in turn, for pairs of clients that stay connected the whole time. */
async function relayInRounds(bench: Bench, contestants: Contestant[]): Promise<Map<Contestant, Turn[]>> {
  const loads: LoadProcess[] = [];
  try {
    const turns = await Promise.all(
      contestants.map(async contestant => {
        const load = startLoad();
        loads.push(load);
        await load.tell('connectPairs', { ...contestant, count: Math.max(fewestPairs, pairs * bench.scale) });
        return (count: number) => relay(contestant, load, count * bench.scale);
      }),
    );
    for (const turn of turns) {
      bench.signal.throwIfAborted();
      await turn(warmUpMessages);
    }
    const results = await inRounds(
      { ...bench, repeat: bench.repeat * roundsEach },
      turns.map(turn => () => turn(messages)),
    );
    return new Map(contestants.map((contestant, index) => [contestant, results[index] ?? []]));
  } finally {
    await Promise.all(loads.map(load => load.stop()));
  }
}

async function relay({ processes }: Contestant, load: LoadProcess, count: number): Promise<Turn> {
  const { result, cpuUs } = await metered(processes, () => load.tell('play', { messages: count }));
  return {
    all: sum(Object.values(cpuUs)) / result.messages,
    nodes: cpuUs.nodes / result.messages,
    redis: cpuUs.redis / result.messages,
    perSecond: result.messages / result.seconds,
    load: result.cpuUs / 1e6 / result.seconds,
  };
}

function compare(
  turns: ReadonlyMap<Contestant, Turn[]>,
  [ours, other]: [Contestant, Contestant],
  { what, unit, part, goal }: { what: string; unit: string; part: keyof Turn; goal?: Goal | undefined },
): Row {
  const values = (contestant: Contestant) => (turns.get(contestant) ?? []).map(turn => turn[part]);
  return { what, unit, ours: values(ours), other: { name: other.name, values: values(other) }, ...(goal && { goal }) };
}
