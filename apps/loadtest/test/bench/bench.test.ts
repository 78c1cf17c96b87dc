import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchReport } from '../../src/bench/run-bench.ts';
import { scenarios } from '../../src/bench/scenarios.ts';

const main = join(__dirname, '../../dist/bench/main.js');
/** They take a minute together where nothing else runs. */
const withinMs = 600_000;

/** What the benchmarks write; all that they start has this folder in its environment. */
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'passerby-bench-test-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

interface Running {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

/** Runs the benchmarks as `npm run bench` does after the build. */
function start(...args: string[]): Running {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, TMPDIR: dir, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', data => {
      output += data;
    });
  }
  return { child, output: () => output, ended: once(child, 'close').then(([code]) => code) };
}

/** Processes that the benchmarks have started. */
async function started(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`TMPDIR=${dir}`)) found.push(pid);
  }
  return found;
}

/** Asks again and again: nothing tells of what other processes do. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

// Elsewhere nothing tells how much CPU a process has used.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm run bench', () => {
  it(
    'measures everything, and makes a table and a file of it',
    async () => {
      const { output, ended } = start('--quick');
      const code = await ended;
      expect(output()).toMatch(/\| memory of Redis for a paired user, plain +\| bytes +\|.*\| at most 300 bytes \|/);
      expect(code).toBe(0);
      const report: BenchReport = JSON.parse(await readFile(join(dir, '.cache/bench.json'), 'utf8'));
      expect(report).toMatchObject({ version: 1, repeat: 1, quick: true, interrupted: false, failures: {} });
      expect([...new Set(report.rows.map(({ scenario }) => scenario))]).toEqual(Object.keys(scenarios));
      for (const { what, ours, other, goal, met } of report.rows) {
        // What could not be measured would be null here.
        const values = [ours, other?.values ?? [0]];
        expect({ what, values }).toEqual({
          what,
          values: values.map(each => each.map(() => expect.any(Number))),
        });
        expect(values.every(each => each.length > 0)).toBe(true);
        expect({ what, judged: met !== undefined }).toEqual({ what, judged: goal !== undefined });
      }
      const rowOf = (end: string) => report.rows.find(({ what }) => what.endsWith(end));
      // The two ids alone are longer than the least; a mistake by a factor would be outside of both.
      const bytes = rowOf('a paired user, plain')?.ours[0];
      expect(bytes).toBeGreaterThan(100);
      expect(bytes).toBeLessThan(1000);
      expect(rowOf('violations')).toMatchObject({ ours: [0], met: true });
      expect(await started()).toEqual([]);
      expect(await readdir(dir)).toEqual(['.cache']);
    },
    withinMs,
  );

  it(
    'ends at once while servers are starting, and leaves nothing but the report',
    async () => {
      const { child, output, ended } = start('--only', 'relay-1', '--quick');
      await until(async () => (await started()).length > 2);
      child.kill('SIGTERM');
      child.kill('SIGINT'); // As npm passes it on once more.
      expect(await ended).toBe(130);
      expect(output()).toContain('It was interrupted');
      expect(await started()).toEqual([]);
      expect(await readdir(dir)).toEqual(['.cache']);
    },
    withinMs,
  );

  it(
    'shows the rounds that were complete when it is interrupted',
    async () => {
      const file = join(dir, 'figures.json');
      const { child, output, ended } = start('--only', 'relay-1', '--quick', '--repeat', '25', '--json', file);
      await until(() => output().includes('Round 20 of 100'));
      child.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(output()).toMatch(/\| relay on one node, CPU per message +\|/);
      const report: BenchReport = JSON.parse(await readFile(file, 'utf8'));
      expect(report).toMatchObject({ interrupted: true, failures: {} });
      expect(report.rows[0]?.ours.length).toBeGreaterThanOrEqual(20);
      expect(report.rows[0]?.ours.length).toBeLessThan(100);
      expect(await started()).toEqual([]);
      expect(await readdir(dir)).toEqual(['figures.json']);
    },
    withinMs,
  );

  it('says what there is to choose from', async () => {
    const help = start('--help');
    expect(await help.ended).toBe(0);
    expect(help.output()).toMatch(/^ +relay-1$/m);
    const wrong = start('--only', 'relay,nothing');
    expect(await wrong.ended).toBe(1);
    expect(wrong.output()).toMatch(/^There is no scenario "nothing"\. There are: relay-1, .*\.$/m);
  }, 60_000);
});
