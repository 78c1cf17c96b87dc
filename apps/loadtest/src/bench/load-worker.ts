// The process that plays the clients, so that what they cost is not counted among the servers' cost. It does what its
// parent says: see LoadCommands.
import type { LoadCommands } from './load-commands.ts';
import { PairOfClients } from './pair-of-clients.ts';

const playWithinMs = 120_000;
let pairs: PairOfClients[] = [];

const commands: LoadCommands = {
  async connectPairs({ ports, count, pairing }) {
    for (let i = 0; i < count; i++) pairs.push(await PairOfClients.connect(String(i), ports, pairing));
  },
  async play({ messages }) {
    const turns = Math.ceil(messages / pairs.length);
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    await within(playWithinMs, Promise.all(pairs.map(pair => playOne(pair, turns))));
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { messages: turns * pairs.length, seconds, loaderCpu: (user + system) / 1e6 / seconds };
  },
  async closePairs() {
    for (const pair of pairs) pair.close();
    pairs = [];
  },
};

/** The two of a pair answer each other until `turns` messages have arrived. */
function playOne(pair: PairOfClients, turns: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = turns;
    pair.onFault = reject;
    pair.onMessage = from => {
      left -= 1;
      if (left === 0) resolve();
      else pair.send(from === 0 ? 1 : 0);
    };
    pair.send(0);
  });
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Messages were missing after ${ms / 1000} s.`)), ms);
  });
  return Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}

process.on('message', async ({ name, input }: { name: keyof LoadCommands; input: never }) => {
  try {
    process.send?.({ output: await commands[name](input) });
  } catch (error) {
    process.send?.({ error: (error as Error).stack });
  }
});
process.on('disconnect', () => process.exit());
