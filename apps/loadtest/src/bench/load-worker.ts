// A process that plays clients.
import { Client } from './client.ts';
import { type FlowOptions, flow } from './flow.ts';
import { type Pairing, PairOfClients } from './pair-of-clients.ts';
import { percentile } from './percentile.ts';
import { serveCommands } from './serve-commands.ts';

const playWithinMs = 120_000;
const pairs: PairOfClients[] = [];
const idle: Client[] = [];

/** What clients did together. */
export interface Played {
  messages: number;
  seconds: number;
  /** CPU time of this process meanwhile. */
  cpuUs: number;
}

const commands = {
  /** Connects pairs, one client of each to the first port and the other to the second, if there is one. */
  async connectPairs({ ports, count, pairing }: { ports: number[]; count: number; pairing: Pairing }): Promise<void> {
    const [first = 0, second = first] = ports;
    for (let i = 0; i < count; i++) pairs.push(await PairOfClients.connect(String(i), [first, second], pairing));
  },

  /**
   * All pairs play ping-pong, so that as many messages are in flight as there are pairs, until about `messages` have arrived.
   * Rejects when one is lost, doubled, out of order, or goes to someone else.
   */
  async play({ messages }: { messages: number }): Promise<Played> {
    const turns = Math.ceil(messages / pairs.length);
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    await within(playWithinMs, Promise.all(pairs.map(pair => playOne(pair, turns))));
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { messages: turns * pairs.length, seconds, cpuUs: user + system };
  },

  /** The pairs send at a fixed rate; see `flow`. Times are in ms. */
  async flow(
    options: FlowOptions,
  ): Promise<{ messages: number; p50: number; p99: number; p999: number; lateness: number }> {
    const { messages, latenciesMs, latenessMs } = await flow(pairs, options);
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map(share => percentile(latenciesMs, share)) as [
      number,
      number,
      number,
    ];
    return { messages, p50, p99, p999, lateness: percentile(latenessMs, 0.99) };
  },

  /** Connects more clients, who do nothing. */
  async connectIdle({ port, count }: { port: number; count: number }): Promise<void> {
    let left = count;
    const one = async () => {
      while (left-- > 0) idle.push(await Client.connect(port));
    };
    await Promise.all(Array.from({ length: 50 }, one));
  },
};

export type LoadCommands = typeof commands;

serveCommands(commands);

/** The two of a pair answer each other until `turns` messages have arrived. */
function playOne(pair: PairOfClients, turns: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = turns;
    pair.onFault = reject;
    pair.onSend = () => {};
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
    timer = setTimeout(() => reject(new Error(`Something was missing after ${ms / 1000} s.`)), ms);
  });
  return Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}
