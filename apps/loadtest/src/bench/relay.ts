import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { Loader } from './loader.ts';
import type { Row } from './row.ts';
import type { Bench, Scenario } from './scenario.ts';
import type { Contestant } from './servers.ts';

/** How many pairs play, and so how many messages are in flight. */
const pairs = 200;
const messages = 20_000;

/** What one contestant did in one round: µs of CPU per message, and messages per second. */
interface Turn {
  all: number;
  nodes: number;
  redis: number;
  perSecond: number;
  loaderCpu: number;
}

const cpu = { unit: 'µs', value: (turn: Turn) => turn.all };
const nodesCpu = { unit: 'µs', value: (turn: Turn) => turn.nodes };
const redisCpu = { unit: 'µs', value: (turn: Turn) => turn.redis };
const rate = { unit: 'messages/s', value: (turn: Turn) => turn.perSecond };
const loaderCpu = { unit: 'cores', value: (turn: Turn) => turn.loaderCpu };

export const relayOnOneNode: Scenario = async bench => {
  const [passerby, bare] = await Promise.all([bench.servers.passerby({ nodes: 1 }), bench.servers.competitor('bare')]);
  const { of } = await compete(bench, [passerby, bare]);
  const what = 'relay on one node';
  const between: [Contestant, Contestant] = [passerby, bare];
  return [
    compare({ what: `${what}, CPU per message`, ...cpu, of, between, atMost: 1.25 }),
    compare({ what: `${what}, rate`, ...rate, of, between }),
    compare({ what: `${what}, CPU of the load process`, ...loaderCpu, of, between }),
  ];
};

export const relayBetweenTwo: Scenario = async bench => {
  const { servers, scale } = bench;
  const [passerby, classic, sharded, publisher] = await Promise.all([
    servers.passerby({ nodes: 2 }),
    servers.competitor('classic', { nodes: 2 }),
    servers.competitor('sharded', { nodes: 2 }),
    servers.competitor('publish'),
  ]);
  const contestants = [passerby, classic, sharded];
  const { of, rest } = await compete(bench, contestants, () => publish(publisher, messages * scale));
  const what = 'relay between 2 nodes';
  const between: [Contestant, Contestant] = [passerby, classic];
  return [
    compare({ what: `${what}, CPU per message`, ...cpu, of, between, atMost: 0.6 }),
    compare({ what: `${what}, CPU per message`, ...cpu, of, between: [passerby, sharded] }),
    compare({ what: `${what}, CPU of the nodes`, ...nodesCpu, of, between }),
    compare({ what: `${what}, CPU of Redis`, ...redisCpu, of, between }),
    {
      ...{ what: `${what}, CPU of Redis`, unit: 'µs', ours: of(passerby).map(redisCpu.value) },
      other: { name: 'a bare publish', values: rest[0]?.map(redisCpu.value) ?? [] },
      goal: { of: 'ratio', atMost: 5 / 3 },
    },
    compare({ what: `${what}, rate`, ...rate, of, between }),
  ];
};

export const relayAmongEight: Scenario = async bench => {
  const { servers } = bench;
  const [passerby, classic, sharded, two] = await Promise.all([
    servers.passerby({ nodes: 8 }),
    servers.competitor('classic', { nodes: 8 }),
    servers.competitor('sharded', { nodes: 8 }),
    servers.passerby({ nodes: 2 }),
  ]);
  const { of } = await compete(bench, [passerby, classic, sharded, two]);
  const what = 'relay with 8 nodes, the chat on 2 of them';
  return [
    compare({ what: `${what}, CPU per message`, ...cpu, of, between: [passerby, classic], atMost: 0.4 }),
    compare({ what: `${what}, CPU per message`, ...cpu, of, between: [passerby, two], atMost: 1.05 }),
    compare({ what: `${what}, CPU per message`, ...cpu, of, between: [passerby, sharded] }),
    compare({ what: `${what}, rate`, ...rate, of, between: [passerby, classic] }),
  ];
};

type Turns = (contestant: Contestant) => Turn[];

/** Each contestant relays, in turn, for pairs of clients that stay connected. `others` have turns, too. */
async function compete(
  bench: Bench,
  contestants: Contestant[],
  ...others: (() => Promise<Turn>)[]
): Promise<{ of: Turns; rest: Turn[][] }> {
  const loaders = contestants.map(() => new Loader());
  try {
    const turns = await Promise.all(
      contestants.map(async (contestant, index) => {
        const loader = loaders[index] ?? new Loader();
        const [first = 0, second = first] = contestant.ports;
        const pairing = contestant.name.startsWith('Passerby') ? 'search' : 'tell';
        await loader.tell('connectPairs', { ports: [first, second], count: pairs, pairing });
        return () => relay(contestant, loader, messages * bench.scale);
      }),
    );
    const all = await inRounds(bench, [...turns, ...others]);
    return { of: contestant => all[contestants.indexOf(contestant)] ?? [], rest: all.slice(contestants.length) };
  } finally {
    await Promise.all(loaders.map(loader => loader.stop()));
  }
}

async function relay({ processes }: Contestant, loader: Loader, count: number): Promise<Turn> {
  const { result, cpuUs } = await metered({ ...processes }, () => loader.tell('play', { messages: count }));
  const [nodes = 0, redis = 0] = [cpuUs.nodes, cpuUs.redis].map(us => (us ?? 0) / result.messages);
  return {
    all: sum(Object.values(cpuUs)) / result.messages,
    nodes,
    redis,
    perSecond: result.messages / result.seconds,
    loaderCpu: result.loaderCpu,
  };
}

/** As many messages, and as many in flight, but all that is done is to publish them. */
async function publish({ processes, ports }: Contestant, count: number): Promise<Turn> {
  const { cpuUs, seconds } = await metered({ redis: processes.redis, nodes: processes.nodes }, async () => {
    const query = `count=${count}&inFlight=${pairs}`;
    await (await fetch(`http://127.0.0.1:${ports[0]}/publish?${query}`)).arrayBuffer();
  });
  const [nodes = 0, redis = 0] = [cpuUs.nodes, cpuUs.redis].map(us => (us ?? 0) / count);
  return { all: nodes + redis, nodes, redis, perSecond: count / seconds, loaderCpu: 0 };
}

interface Comparison {
  what: string;
  unit: string;
  value: (turn: Turn) => number;
  of: Turns;
  between: [ours: Contestant, other: Contestant];
  atMost?: number;
}

function compare({ what, unit, value, of, between: [ours, other], atMost }: Comparison): Row {
  return {
    what,
    unit,
    ours: of(ours).map(value),
    other: { name: other.name, values: of(other).map(value) },
    ...(atMost !== undefined && { goal: { of: 'ratio', atMost } }),
  };
}
