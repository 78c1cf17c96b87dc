import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchReport } from '../../src/bench/run-bench.ts';
import { BenchCommand } from './bench-command.ts';

const withinMs = 600_000;
const bench = new BenchCommand();

/** Asks again and again: nothing tells of what other processes do. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

// Elsewhere nothing tells how much CPU a process has used.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm run bench', () => {
  it(
    'ends at once while servers are starting, and leaves nothing but the report',
    async () => {
      const { child, output, ended } = bench.start('--only', 'relay-1', '--quick');
      await until(async () => (await bench.started()).length > 2);
      child.kill('SIGTERM');
      child.kill('SIGINT'); // As npm passes it on once more.
      expect(await ended).toBe(130);
      expect(output()).toContain('It was interrupted');
      expect(await bench.started()).toEqual([]);
      expect(await readdir(bench.dir)).toEqual(['.cache']);
    },
    withinMs,
  );

  it(
    'shows the rounds that were complete when it is interrupted',
    async () => {
      const file = join(bench.dir, 'figures.json');
      const { child, output, ended } = bench.start('--only', 'relay-1', '--quick', '--repeat', '25', '--json', file);
      await until(() => output().includes('Round 20 of 100'));
      child.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(output()).toMatch(/\| relay on one node, CPU per message +\|/);
      const report: BenchReport = JSON.parse(await readFile(file, 'utf8'));
      expect(report).toMatchObject({ interrupted: true, failures: {} });
      expect(report.rows[0]?.ours.length).toBeGreaterThanOrEqual(20);
      expect(report.rows[0]?.ours.length).toBeLessThan(100);
      expect(await bench.started()).toEqual([]);
      expect(await readdir(bench.dir)).toEqual(['figures.json']);
    },
    withinMs,
  );

  it('says what there is to choose from', async () => {
    const help = bench.start('--help');
    expect(await help.ended).toBe(0);
    expect(help.output()).toMatch(/^ +relay-1$/m);
    const wrong = bench.start('--only', 'relay,nothing');
    expect(await wrong.ended).toBe(1);
    expect(wrong.output()).toMatch(/^There is no scenario "nothing"\. There are: relay-1, .*\.$/m);
  }, 60_000);
});
