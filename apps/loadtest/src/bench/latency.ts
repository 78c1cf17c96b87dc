import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type LoadProcess, startLoad } from './load-process.ts';
import type { Row } from './row.ts';
import type { Scenario } from './scenario.ts';
import { spreadOf } from './spread.ts';

const pairs = 200;
/** Messages that are played to find the limit. */
const messages = 20_000;
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
    const [first] = loads;
    const limit = first ? await limitOf(first, messages * scale) : Number.NaN;
    const messagesPerSecond = Math.round(limit * shareOfLimit);
    say(`One node carries at most ${Math.round(limit)} messages a second here.`);
    const flows = loads.map((load, index) => async () => {
      const processes = contestants[index]?.processes ?? {};
      const options = { messagesPerSecond, seconds: Math.max(secondsAtLeast, seconds * scale) };
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

/** The rate when as many messages are in flight as there are pairs. */
async function limitOf(load: LoadProcess, count: number): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < 4; round++) {
    const { messages, seconds } = await load.tell('play', { messages: count });
    // The first one warms up.
    if (round > 0) rates.push(messages / seconds);
  }
  return spreadOf(rates).median;
}
