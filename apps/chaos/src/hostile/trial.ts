import { setTimeout as delay } from 'node:timers/promises';
import { Crowd } from './crowd.ts';
import type { Memory } from './node-gauge.ts';
import { attack, type Outcome } from './orders.ts';
import type { Turn } from './schedule.ts';
import type { Stage } from './stage.ts';

/** What is usual while nobody attacks. */
export interface Baseline {
  cpuMsPerMs: number;
  redisPerMs: number;
  latency: Latency;
  memory: Memory | undefined;
}

export interface Latency {
  p50: number;
  p99: number;
}

export interface Failure {
  kind: 'harm' | 'breach' | 'unanswered' | 'memory' | 'cost';
  attack: string;
  text: string;
}

/** What an attack cost, and whom. Times in ms. */
export interface Trial extends Outcome {
  name: string;
  /** Of all nodes, beyond the baseline. */
  cpuMs: number;
  cpuNsPerByte: number;
  /** The same, as a multiple of what a byte of honest people costs. */
  timesHonest: number;
  redisPerKb: number;
  /** Of the attacked node: the highest, and after a rest. */
  rssPeakBytes: number;
  after: Memory | undefined;
  before: Latency;
  during: Latency;
  failures: Failure[];
}

export interface TrialOptions extends Turn {
  stage: Stage;
  baseline: Baseline;
  honestNsPerByte: number;
  redisCommands: () => Promise<number>;
  /** Takes sentences about what must not happen to honest people. */
  harm: string[];
}

/** What is dearer than so many honest bytes for each byte is a failure. */
const mostTimesHonest = 20;
/** Less CPU time than this cannot be told from chance, and harms nobody. */
const leastCpuMs = 100;
const quietWithinMs = 10_000;
const windowMs = 150;
const newcomersEveryMs = 2000;
const mostSentences = 3;

/** Attacks the first node of a stage, and sees what that does to it and to everybody else. */
export async function tryAttack(options: TrialOptions): Promise<Trial> {
  const { name, stage, baseline, orders, honestNsPerByte, redisCommands, harm } = options;
  const [node] = stage.nodes;
  if (!node) throw new Error('There is no node to attack.');
  stage.crowd.takeLatencies();
  node.gauge.rssPeakBytes = 0;
  const [startedAt, cpuBefore, redisBefore] = [performance.now(), stage.cpuMs(), await redisCommands()];
  const attacking = attack({ ...orders, target: '127.0.0.1', port: node.port }, node.process.ended);
  const [outcome] = await Promise.all([attacking, comeAgainAndAgain(stage, harm, attacking)]);
  await quiet(stage, baseline);
  const [ms, cpuAfter, redisAfter] = [performance.now() - startedAt, stage.cpuMs(), await redisCommands()];
  await stage.crowd.heard();
  const cpuMs = Math.max(0, cpuAfter - cpuBefore - baseline.cpuMsPerMs * ms);
  const cpuNsPerByte = (cpuMs * 1e6) / Math.max(1, outcome.bytes);
  const timesHonest = cpuNsPerByte / honestNsPerByte;
  const after = await node.gauge.memory();
  const failures = outcome.breaches.map((text): [Failure['kind'], string] => ['breach', text]);
  const sentences = harm.splice(0);
  for (const text of sentences.slice(0, mostSentences)) failures.push(['harm', text]);
  if (sentences.length > mostSentences)
    failures.push(['harm', `And ${sentences.length - mostSentences} more like that.`]);
  if (outcome.unanswered > 0) {
    failures.push(['unanswered', `${outcome.unanswered} connections were neither answered nor closed.`]);
  }
  if (cpuMs > leastCpuMs && timesHonest > mostTimesHonest) {
    failures.push(['cost', `A byte cost ${timesHonest.toFixed(0)} times the CPU of an honest one.`]);
  }
  return {
    name,
    ...outcome,
    ...{ cpuMs, cpuNsPerByte, timesHonest, after },
    redisPerKb: Math.max(0, redisAfter - redisBefore - baseline.redisPerMs * ms) / Math.max(1, outcome.bytes / 1000),
    rssPeakBytes: node.gauge.rssPeakBytes,
    before: baseline.latency,
    during: latencyOf(stage.crowd.takeLatencies()),
    failures: failures.map(([kind, text]) => ({ kind, attack: name, text })),
  };
}

export function latencyOf(latenciesMs: number[]): Latency {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

let comers = 0;

export async function comeAgainAndAgain({ urls }: Stage, harm: string[], attacking: Promise<unknown>): Promise<void> {
  let goesOn = true;
  const over = attacking.finally(() => {
    goesOn = false;
  });
  while (goesOn) {
    const address = `127.0.3.${1 + (comers++ % 250)}`;
    const name = `Newcomer ${comers}.`;
    const newcomers = new Crowd({ name, urls, size: 2, addressOf: () => address, harm, meetsStrangers: true });
    await newcomers.findSomebody();
    newcomers.leave();
    await Promise.race([over, delay(newcomersEveryMs)]);
  }
}

/** Waits until the nodes have done what the attack left them to do. */
async function quiet(stage: Stage, { cpuMsPerMs }: Baseline): Promise<void> {
  const until = performance.now() + quietWithinMs;
  for (let inRow = 0; inRow < 2 && performance.now() < until; ) {
    const before = stage.cpuMs();
    await delay(windowMs);
    inRow = (stage.cpuMs() - before) / windowMs < 1.5 * cpuMsPerMs + 0.05 ? inRow + 1 : 0;
  }
}
