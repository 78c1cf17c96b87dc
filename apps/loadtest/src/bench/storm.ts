import { metered, sum } from './cpu-time.ts';
import { memoryOf, peakMemoryOf } from './memory.ts';
import type { Scenario } from './scenario.ts';
import type { StormCommands } from './storm-worker.ts';
import { WorkerProcess } from './worker-process.ts';

const users = 5_000;
const nodes = 2;
const mostRounds = 3;
const megabyte = 1024 * 1024;

interface Turn {
  seconds: number;
  retries: number;
  tooLate: number;
  bad: number;
  before: number;
  peak: number;
  cpuUs: number;
  /** What the process with the users needs itself. */
  loadUs: number;
}

/** All users, each in a chat, lose their connection at once, and come back at once, each to another node. */
export const storm: Scenario = async bench => {
  const { servers, scale, say } = bench;
  const rounds = Math.min(bench.repeat, mostRounds);
  const count = 2 * Math.round((users * scale) / 2);
  const turns: Turn[] = [];
  for (let round = 1; round <= rounds; round++) {
    // New processes each time: the peak of a process is for its whole life.
    const { ports, processes } = await servers.passerby({ nodes });
    const load = new WorkerProcess<StormCommands>('storm-worker');
    try {
      await load.tell('connect', { ports, count });
      const before = Math.max(...processes.nodes.map(memoryOf));
      // Throws if a process has gone.
      const { cpuUs, seconds } = await metered({ ...processes, load: [load.pid] }, () => load.tell('storm', { ports }));
      const { load: loadUs, ...servers } = cpuUs;
      const { retries, tooLate, violations, sessions } = await load.tell('talk');
      const peak = Math.max(...processes.nodes.map(peakMemoryOf));
      const bad = violations.length + Math.abs(sessions - count / 2);
      turns.push({
        ...{ seconds, retries, tooLate, bad, before, peak },
        ...{ cpuUs: sum(Object.values(servers)) / count, loadUs: loadUs / count },
      });
      for (const [what, times] of countEach(violations)) say(`Violation: ${what} (${times} times)`);
      say(`Round ${round} of ${rounds} is done.`);
    } finally {
      await load.stop();
    }
    await servers.stopContestants();
  }
  const what = `reconnect storm of ${count} users`;
  return [
    // Of all rounds together: a median would hide some.
    {
      what: `${what}, violations`,
      unit: '',
      ours: [sum(turns.map(({ bad }) => bad))],
      goal: { of: 'ours', atMost: 0 },
    },
    {
      what: `${what}, too late for their chats`,
      unit: '',
      ours: [sum(turns.map(({ tooLate }) => tooLate))],
      goal: { of: 'ours', atMost: 0 },
    },
    { what: `${what}, until all are back`, unit: 's', ours: turns.map(({ seconds }) => seconds) },
    { what: `${what}, tried again`, unit: '', ours: turns.map(({ retries }) => retries) },
    { what: `${what}, CPU per user`, unit: 'µs', ours: turns.map(({ cpuUs }) => cpuUs) },
    { what: `${what}, CPU per user of the load`, unit: 'µs', ours: turns.map(({ loadUs }) => loadUs) },
    { what: `${what}, memory of a node before`, unit: 'MB', ours: turns.map(({ before }) => before / megabyte) },
    { what: `${what}, memory of a node at its peak`, unit: 'MB', ours: turns.map(({ peak }) => peak / megabyte) },
  ];
};

function countEach(sentences: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const sentence of sentences) counts.set(sentence, (counts.get(sentence) ?? 0) + 1);
  return counts;
}
