import getPort from 'get-port';
import { inRounds } from './in-rounds.ts';
import { startLoad } from './load-process.ts';
import { collectGarbage, memoryOf } from './memory.ts';
import type { Bench, Scenario } from './scenario.ts';
import type { Contestant } from './servers.ts';

/** Connections that are there before anything is measured, as the first ones also pay for what all share. */
const first = 500;
const connections = 4_000;
const mostRounds = 3;

/** What a server keeps for a user who is connected and does nothing, after its garbage is collected. */
export const idleMemory: Scenario = async bench => {
  const { servers } = bench;
  const repeat = Math.min(bench.repeat, mostRounds);
  // A new process for each turn: one that was large once does not give all of it back.
  const passerby = (nodeArgs: string[]) => servers.passerby({ nodes: 1, nodeArgs });
  const bare = (nodeArgs: string[]) => servers.competitor('bare', { nodeArgs });
  const [ours = [], others = []] = await inRounds({ ...bench, repeat, warmUp: false }, [
    () => bytesPerConnection(bench, passerby),
    () => bytesPerConnection(bench, bare),
  ]);
  return [
    {
      ...{ what: 'memory of an idle connected user', unit: 'bytes', ours },
      ...{ other: { name: 'bare', values: others }, goal: { of: 'ratio', atMost: 1.25 } },
    },
  ];
};

async function bytesPerConnection(
  { scale }: Bench,
  start: (nodeArgs: string[]) => Promise<Contestant>,
): Promise<number> {
  const inspectPort = await getPort({ host: '127.0.0.1' });
  const { ports, processes } = await start([`--inspect=127.0.0.1:${inspectPort}`]);
  const [pid = Number.NaN] = processes.nodes;
  const [port = 0] = ports;
  const load = startLoad();
  try {
    await load.tell('connectIdle', { port, count: first * scale });
    await collectGarbage(pid, inspectPort);
    const before = memoryOf(pid);
    await load.tell('connectIdle', { port, count: connections * scale });
    await collectGarbage(pid, inspectPort);
    return (memoryOf(pid) - before) / (connections * scale);
  } finally {
    await load.stop();
  }
}
