import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = join(__dirname, '../dist/main.js');
const minuteMs = 60_000;

const children: ChildProcess[] = [];
let out: string;

/** Runs the harness, as `npm run test:chaos` does after the build. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [main, '--out', out, ...args], {
    env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', data => {
      output += data;
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'passerby-chaos-out-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const closed = once(child, 'close');
    child.kill('SIGTERM'); // It ends all that it has started.
    await closed;
  }
  await rm(out, { recursive: true, force: true });
});

// Elsewhere the processes below PostgreSQL cannot be found, to stop them too.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('the chaos harness', () => {
  it(
    'finds nothing wrong',
    async () => {
      const { code, output } = await run('--seed', '20', '--minutes', '1');
      // The output first: if it fails, that is what one wants to see.
      expect(output).toMatch(/\nNo violation\.\n/);
      expect(code).toBe(0);
    },
    4 * minuteMs,
  );

  it.each([
    ['fencing', 'wrong partner'],
    ['idempotence', 'double session'],
    ['resend', 'lost'],
    ['order', 'delivered but lost'],
    ['resume', 'ended for nothing'],
    ['replace', 'not replaced'],
    ['retire', 'old token'],
  ])(
    'finds what is wrong without %s',
    async (name, violation) => {
      const { code, output } = await run('--seed', '1', '--minutes', '0.25', '--people', '60', '--break', name);
      expect(output).toMatch(new RegExp(`violations: .*\\d+ × ${violation}\\b`));
      expect(code).toBe(1);
      const file = join(out, 'history.jsonl');
      expect(output).toContain(`--replay ${file}`);
      expect((await readFile(file, 'utf8')).split('\n', 1)[0]).toContain(`"broken":"${name}"`);
      const again = await run('--replay', file);
      expect(again.code).toBe(1);
      expect(again.output).toContain(`× ${violation}`);
    },
    2 * minuteMs,
  );

  it('says what is wrong with its options', async () => {
    const { code, output } = await run('--faults', 'flood');
    expect(output).toMatch(/^There is no fault "flood"\. There are: node-kill, .*\.\n$/);
    expect(code).toBe(2);
    expect(await run('--replay', join(out, 'none'))).toEqual({
      code: 2,
      output: `The history ${join(out, 'none')} cannot be read (ENOENT).\n`,
    });
    expect((await run('--help')).code).toBe(0);
  });

  it(
    'stops at a signal, and leaves nothing',
    async () => {
      const ended = run('--minutes', '1');
      const [child] = children;
      // The first thing that it says comes before anything is started.
      await new Promise<void>(resolve => {
        child?.stdout?.on('data', data => String(data).includes('Starting') && resolve());
      });
      child?.kill('SIGTERM');
      const { code, output } = await ended;
      expect(output).toContain('The run was given up.');
      expect(code).toBe(2);
    },
    minuteMs,
  );
});
