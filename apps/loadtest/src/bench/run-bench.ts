import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { isMet, type Row, ratiosOf } from './row.ts';
import { scenarios } from './scenarios.ts';
import { Servers } from './servers.ts';

/** What a run hands to the table and to the JSON file. */
export interface BenchReport {
  version: 1;
  startedAt: string;
  seconds: number;
  machine: string;
  /** How many rounds; some scenarios make fewer. */
  repeat: number;
  quick: boolean;
  rows: (Row & { scenario: string; ratios: number[]; met: boolean | undefined })[];
  /** Scenarios that failed, and why. */
  failures: Record<string, string>;
}

export interface BenchOptions {
  /** Names of scenarios, or beginnings of them; undefined for all. */
  only: string[] | undefined;
  repeat: number;
  quick: boolean;
}

/**
 * Measures one scenario after the other. One that fails does not keep the others from being measured.
 * @param say is told what is going on, in lines
 */
export async function runBench(
  { only, repeat, quick }: BenchOptions,
  say: (line: string) => void,
): Promise<BenchReport> {
  const startedAt = new Date();
  const secondsNow = () => (Date.now() - startedAt.getTime()) / 1000;
  const dir = await mkdtemp(join(os.tmpdir(), 'passerby-bench-'));
  const servers = new Servers(dir);
  const clear = async () => {
    await servers.stop();
    await rm(dir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void clear().finally(() => process.exit(130)));
  }
  const rows: BenchReport['rows'] = [];
  const failures: BenchReport['failures'] = {};
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (only && !only.some(each => name.startsWith(each))) continue;
      const log = (sentence: string) => say(`${secondsNow().toFixed(0).padStart(5)} s  ${name}: ${sentence}`);
      try {
        const found = await scenario({ servers, repeat, scale: quick ? 0.05 : 1, say: log });
        rows.push(...found.map(row => ({ scenario: name, ...row, ratios: ratiosOf(row), met: isMet(row) })));
      } catch (error) {
        failures[name] = String((error as Error).stack);
        log(`It failed. ${failures[name]}`);
      }
      await servers.stopContestants();
    }
  } finally {
    await clear();
  }
  const [cpu] = os.cpus();
  const machine = `${os.cpus().length} × ${cpu?.model ?? 'unknown'}, Node.js ${process.versions.node}`;
  return {
    version: 1,
    startedAt: startedAt.toISOString(),
    seconds: secondsNow(),
    machine,
    repeat,
    quick,
    rows,
    failures,
  };
}
