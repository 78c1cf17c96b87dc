import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { descendants, signalTree } from '@passerby/cluster';
import { isMet, type Row, ratiosOf } from './row.ts';
import type { Bench, Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { Servers } from './servers.ts';

/** The share of the work that is done to see that all runs. */
const quickScale = 0.01;
/** What an interrupted scenario has measured so far is waited for this long. */
const lastFiguresWithinMs = 1000;
const killEveryMs = 50;

/** What a run hands to the table and to the JSON file. */
export interface BenchReport {
  version: 1;
  startedAt: string;
  seconds: number;
  machine: string;
  /** How many rounds; some scenarios make more or fewer. */
  repeat: number;
  quick: boolean;
  /** Whether it was ended before its time: scenarios are missing, or rounds of the last one. */
  interrupted: boolean;
  rows: (Row & { scenario: string; ratios: number[]; met: boolean | undefined })[];
  /** Scenarios that failed, and why. */
  failures: Record<string, string>;
}

export interface BenchOptions {
  /** Names of scenarios, or beginnings of them; undefined for all. */
  only: string[] | undefined;
  repeat: number;
  quick: boolean;
  /** Ends the run at once, with all that it has started; there is a report all the same. */
  signal: AbortSignal;
}

/**
 * Measures one scenario after the other. One that fails does not keep the others from being measured. Leaves no process and no
 * file.
 * @param say is told what is going on, in lines
 */
export async function runBench(
  { only, repeat, quick, signal }: BenchOptions,
  say: (line: string) => void,
): Promise<BenchReport> {
  const startedAt = new Date();
  const secondsNow = () => (Date.now() - startedAt.getTime()) / 1000;
  const rows: BenchReport['rows'] = [];
  const failures: BenchReport['failures'] = {};
  const dir = await mkdtemp(join(os.tmpdir(), 'passerby-bench-'));
  const servers = new Servers(dir);
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (signal.aborted) break;
      if (only && !only.some(each => name.startsWith(each))) continue;
      const log = (sentence: string) => say(`${secondsNow().toFixed(0).padStart(5)} s  ${name}: ${sentence}`);
      try {
        const found = await measure(scenario, { servers, repeat, scale: quick ? quickScale : 1, signal, say: log });
        rows.push(...found.map(row => ({ scenario: name, ...row, ratios: ratiosOf(row), met: isMet(row) })));
      } catch (error) {
        if (signal.aborted) break;
        failures[name] = String((error as Error).stack);
        log(`It failed. ${failures[name]}`);
      }
      if (!signal.aborted) await servers.stopContestants();
    }
  } finally {
    if (signal.aborted) await killAll();
    else await servers.stop();
    // What has just been killed may have made one more file.
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
  const [cpu] = os.cpus();
  return {
    version: 1,
    startedAt: startedAt.toISOString(),
    seconds: secondsNow(),
    machine: `${os.cpus().length} × ${cpu?.model ?? 'unknown'}, Node.js ${process.versions.node}`,
    repeat,
    quick,
    interrupted: signal.aborted,
    rows,
    failures,
  };
}

/** When the run is ended, all processes are killed, which ends the scenario: with the figures of some rounds, or an error. */
async function measure(scenario: Scenario, bench: Bench): Promise<Row[]> {
  const { signal } = bench;
  let ended = () => {};
  const abandoned = new Promise<never>((_, reject) => {
    ended = () => {
      void killAll().catch(reject);
      setTimeout(() => reject(new Error('It was interrupted.')), lastFiguresWithinMs);
    };
    signal.addEventListener('abort', ended, { once: true });
  });
  try {
    return await Promise.race([scenario(bench), abandoned]);
  } finally {
    signal.removeEventListener('abort', ended);
  }
}

/** Kills all that this process has started, and what is being started meanwhile. */
async function killAll(): Promise<void> {
  for (let quietSince = performance.now(); performance.now() - quietSince < 2 * killEveryMs; await delay(killEveryMs)) {
    const found = descendants(process.pid);
    for (const pid of found) signalTree(pid, 'SIGKILL');
    if (found.length > 0) quietSince = performance.now();
  }
}
