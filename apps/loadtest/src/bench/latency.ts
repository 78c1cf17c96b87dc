import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type LoadProcess, startLoad } from './load-process.ts';
import type { Row } from './row.ts';
import type { Scenario } from './scenario.ts';
import type { Contestant } from './servers.ts';

const pairs = 200;
/** Messages that are played to warm up, and for a first idea of the limit. */
const messages = 60_000;
/** How often the limit is looked for, each time at a share of the last one. */
const looks = 3;
/** Many short turns: a p99 is spoilt by one bad moment of the machine. */
const seconds = 2;
const secondsAtLeast = 0.3;
const roundsEach = 4;
const shareOfLimit = 0.7;

/** How long messages take on one node, at a share of what Passerby carries at most. */
export const latency: Scenario = async bench => {
  const { servers, scale, say } = bench;
  const contestants = await Promise.all([servers.passerby({ nodes: 1 }), servers.competitor('bare')]);
  const loads: LoadProcess[] = [];
  try {
    for (const contestant of contestants) {
      const load = startLoad();
      loads.push(load);
      await load.tell('connectPairs', { ...contestant, count: pairs });
    }
    const turnSeconds = Math.max(secondsAtLeast, seconds * scale);
    const [load] = loads;
    const limit = load ? await limitOf(contestants[0], load, messages * scale, turnSeconds) : Number.NaN;
    const messagesPerSecond = Math.round(limit * shareOfLimit);
    say(`One node carries at most ${Math.round(limit)} messages a second here.`);
    const flows = loads.map((load, index) => async () => {
      const processes = contestants[index]?.processes ?? {};
      const options = { messagesPerSecond, seconds: turnSeconds };
      const { result, cpuUs } = await metered(processes, () => load.tell('flow', options));
      return { ...result, cpuUs: sum(Object.values(cpuUs)) / result.messages };
    });
    const turns = await inRounds({ ...bench, repeat: bench.repeat * roundsEach }, flows);
    const [ours = [], bare = []] = turns;
    const row = (what: string, unit: string, value: (turn: (typeof ours)[number]) => number): Row => ({
      ...{ what: `${what}, at ${shareOfLimit * 100} % of the limit`, unit, ours: ours.map(value) },
      other: { name: 'bare', values: bare.map(value) },
    });
    return [
      { what: 'the limit of one node', unit: 'messages/s', ours: [limit] },
      row('delivery, p50', 'ms', ({ p50 }) => p50),
      { ...row('delivery, p99', 'ms', ({ p99 }) => p99), goal: { of: 'ratio', atMost: 2 } },
      row('delivery, p99.9', 'ms', ({ p999 }) => p999),
      // Part of the latencies, which count from the moment at which a message was due.
      row('lateness of the load, p99', 'ms', ({ lateness }) => lateness),
      row('CPU per message', 'µs', ({ cpuUs }) => cpuUs),
    ];
  } finally {
    await Promise.all(loads.map(load => load.stop()));
  }
};

/**
 * The rate that would keep the core of a node busy the whole time, by what a message costs at a share of that rate. More than this
 * goes through only when messages wait for each other, and so go together.
 */
async function limitOf(
  { processes: { nodes } }: Contestant,
  load: LoadProcess,
  warmUp: number,
  seconds: number,
): Promise<number> {
  const played = await load.tell('play', { messages: warmUp });
  let limit = played.messages / played.seconds;
  for (let look = 0; look < looks; look++) {
    const flow = () => load.tell('flow', { messagesPerSecond: Math.round(limit * shareOfLimit), seconds });
    const { result, cpuUs } = await metered({ nodes }, flow);
    limit = (result.messages / cpuUs.nodes) * 1e6;
  }
  return limit;
}
