import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = join(__dirname, '../../dist/bench/main.js');

/** Runs the benchmarks as `npm run bench` does after the build. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', data => {
      output += data;
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}

// Elsewhere nothing tells how much CPU a process has used.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm run bench', () => {
  it('measures, and makes a table and a file of it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'passerby-bench-test-'));
    const file = join(dir, 'figures.json');
    try {
      const { code, output } = await run('--only', 'redis-memory', '--quick', '--json', file);
      expect(output).toMatch(
        /\| memory of Redis for a paired user, plain +\| bytes +\| \d+ +\|.*\| at most 300 bytes \|/,
      );
      expect(code).toBe(0);
      const report = JSON.parse(await readFile(file, 'utf8'));
      expect(report).toMatchObject({ version: 1, repeat: 1, quick: true });
      expect(report.rows.map((row: { what: string }) => row.what)).toEqual([
        'memory of Redis for a paired user, plain',
        'memory of Redis for a paired user, resuming',
      ]);
      const [{ ours, met }] = report.rows;
      // The two ids alone are longer than the least; a mistake by a factor would be outside of both.
      expect(ours[0]).toBeGreaterThan(100);
      expect(ours[0]).toBeLessThan(1000);
      expect(met).toBe(ours[0] <= 300);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }, 120_000);

  it('says what there is to choose from', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, output: expect.stringMatching(/^ +relay-1$/m) });
    expect(await run('--only', 'relay,nothing')).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^There is no scenario "nothing"\. There are: relay-1, .*\.$/m),
    });
  }, 120_000);
});
