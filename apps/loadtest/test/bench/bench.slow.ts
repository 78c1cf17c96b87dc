import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchReport } from '../../src/bench/run-bench.ts';
import { scenarios } from '../../src/bench/scenarios.ts';
import { BenchCommand } from './bench-command.ts';

/** It takes a minute where nothing else runs. */
const withinMs = 600_000;
const bench = new BenchCommand();

// Elsewhere nothing tells how much CPU a process has used.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm run bench', () => {
  it(
    'measures everything, and makes a table and a file of it',
    async () => {
      const { output, ended } = bench.start('--quick');
      const code = await ended;
      expect(output()).toMatch(/\| memory of Redis for a paired user, plain +\| bytes +\|.*\| at most 300 bytes \|/);
      expect(code).toBe(0);
      const report: BenchReport = JSON.parse(await readFile(join(bench.dir, '.cache/bench.json'), 'utf8'));
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
      expect(await bench.started()).toEqual([]);
      expect(await readdir(bench.dir)).toEqual(['.cache']);
    },
    withinMs,
  );
});
