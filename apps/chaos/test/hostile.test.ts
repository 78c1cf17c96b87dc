import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../src/hostile/run.ts';
import type { Failure } from '../src/hostile/trial.ts';

const main = join(__dirname, '../dist/hostile/main.js');
const withinMs = 120_000;
/** One by one: among others, they might not get as far as to do what they can. */
const severe = [
  ...['http-jsonp', 'http-cross-site', 'http-foreign-upgrade', 'chat-other-session'],
  ...['resume-foreign', 'engine-connects-1m', 'tcp-unread'],
];

let child: ChildProcess;
let dir: string;

/** Attacks, as `npm run test:hostile` does after the build. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  child = spawn(process.execPath, [main, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', data => {
      output += data;
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'passerby-hostile-out-'));
});

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    const closed = once(child, 'close');
    child.kill('SIGTERM'); // It ends all that it has started.
    await closed;
  }
  await rm(dir, { recursive: true, force: true });
});

// Elsewhere there are no other addresses than 127.0.0.1 without further ado, and no /proc.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('the hostile client', () => {
  it.each([
    ['all that it does at once', ['--together']],
    ['the worst of it, one by one', ['--attacks', severe.join()]],
  ])(
    'harms nobody with %s',
    async (_what, args) => {
      const { output } = await run('--seed', '7', '--packets', '20000', '--minutes', '0.1', ...args);
      const text = await readFile(join(dir, '.cache/hostile.json'), 'utf8').catch(() => '');
      if (text === '') throw new Error(output);
      const { trials, failures } = JSON.parse(text) as Report & { failures: Failure[] };
      // What a byte costs is not for a machine on which other tests run, too.
      expect(failures.filter(({ kind }) => kind !== 'cost')).toEqual([]);
      expect(trials.at(-1)).toMatchObject({ name: 'all at once' });
      for (const { packets, bytes } of trials) expect([packets > 0, bytes > 0]).toEqual([true, true]);
    },
    withinMs,
  );

  it('says what is wrong with its options', async () => {
    const unknown = await run('--attacks', 'http-page,flood');
    expect(unknown.output).toMatch(/^There is no attack "flood"\. There are: tcp-silent, .*\.\n$/);
    expect(unknown.code).toBe(2);
    expect((await run('--minutes', 'x')).output).toBe('--minutes must be a number from 0.05 to 1000.\n');
    expect((await run('--help')).code).toBe(0);
  });

  it(
    'stops at a signal, and leaves nothing',
    async () => {
      const ended = run();
      child.stdout?.once('data', () => child.kill('SIGTERM'));
      const { code, output } = await ended;
      expect(output).toContain('The run was given up.');
      expect(code).toBe(2);
    },
    withinMs,
  );
});
