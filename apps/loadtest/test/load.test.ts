import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChatProcess } from '../../../tests/support/chat-process.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import type { LoadReport } from '../src/load-report.ts';
import { LittleChatServer, type LittleChatServerOptions } from './little-chat-server.ts';

const main = join(__dirname, '../dist/main.js');

let dir: string;
const children: ChildProcess[] = [];
let server: LittleChatServer | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'passerby-load-'));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const closed = once(child, 'close');
    child.kill('SIGKILL'); // Its workers end with it.
    await closed;
  }
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  output: string;
  report: () => Promise<LoadReport>;
}

/** Runs the load tester, as `npm run load` does after the build. */
async function load(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: dir,
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
  return { code, output, report: async () => JSON.parse(await readFile(join(dir, '.cache/load.json'), 'utf8')) };
}

async function serve(options: LittleChatServerOptions = {}): Promise<string> {
  server = await LittleChatServer.start(options);
  return server.url;
}

describe('a load test of a chat node', () => {
  let pool: RedisPool;
  let node: ChatProcess;

  beforeAll(async () => {
    pool = new RedisPool();
    node = await ChatProcess.start(pool);
  });

  afterAll(async () => {
    await pool.untilEmpty();
    await node.stop();
    await pool.close();
  });

  it.each<[scenario: string, args: string[], check: (report: LoadReport) => void]>([
    [
      'relay',
      ['--rate', '200', '--workers', '2'],
      ({ totals, latencies }) => {
        expect(totals).toMatchObject({ connects: 10, matches: 5, disconnects: 0, unconfirmed: 0 });
        // The schedule says how many, and not the server.
        expect(totals.sent).toBeGreaterThan(100);
        expect(totals.delivered).toBe(totals.sent);
        expect(latencies.delivery?.count).toBe(totals.sent);
      },
    ],
    [
      'chat',
      ['--rate', '200', '--talk', '300ms'],
      ({ totals }) => {
        expect(totals.matches).toBeGreaterThan(5);
        expect(totals.delivered).toBeGreaterThan(0);
        expect(totals.delivered + (totals.unconfirmed ?? 0)).toBe(totals.sent);
      },
    ],
    [
      'match',
      ['--rate', '40'],
      ({ totals, latencies }) => {
        expect(totals.matches).toBeGreaterThan(5);
        expect(latencies.match?.count).toBe(2 * totals.matches);
        expect(totals.sent).toBe(0);
      },
    ],
    [
      'storm',
      ['--duration', '2s'],
      ({ totals, latencies }) => {
        expect(totals).toMatchObject({ connects: 30, matches: 5, sent: 20, delivered: 20 });
        expect(latencies.reconnect?.count).toBe(20);
      },
    ],
    ['idle', [], ({ totals }) => expect(totals).toMatchObject({ connects: 10, matches: 0, disconnects: 0 })],
  ])('finds nothing wrong in %s', async (scenario, args, check) => {
    const common = ['--target', node.url, '--scenario', scenario, '--users', '10', '--ramp', '0ms'];
    const { code, output, report } = await load(...common, '--duration', '800ms', ...args);
    // The output first: if it fails, that is what one wants to see.
    expect(output).toContain('Passed');
    expect(code).toBe(0);
    const made = await report();
    expect(made).toMatchObject({ scenario, targets: [node.url], interrupted: false, mismatches: {}, errors: {} });
    expect(made.samples.reduce((sum, { sent }) => sum + sent, 0)).toBe(made.totals.sent);
    // All is sent while the load is on, and that is as long as it was to be.
    expect(made.load?.totals.sent).toBe(made.totals.sent);
    const { from = 0, to = 0 } = made.load ?? {};
    expect(to - from).toBeGreaterThanOrEqual(scenario === 'storm' ? 1999 : 799);
    expect(from).toBeGreaterThan(0);
    expect(to).toBeLessThan(made.durationMs);
    check(made);
    expect(await readFile(join(dir, '.cache/load.html'), 'utf8')).toMatch(/^<!doctype html>/i);
  });
});

describe('a load test', () => {
  const relay = ['--scenario', 'relay', '--users', '6', '--ramp', '0ms'];

  it('counts each kind of what must never be, and fails', async () => {
    const dropped = new Set<number>();
    let held: (() => void) | undefined;
    const target = await serve({
      relay: (message, deliver, to) => {
        const kind = message % 40;
        // Losses in the midst and at the end.
        if (kind === 30 || message > 250) {
          dropped.add(message);
          return;
        }
        if (kind === 10) to.stranger();
        if (kind === 35) deliver();
        if (kind === 39) held?.();
        if (kind === 20) held = deliver;
        else deliver();
      },
    });
    const { code, output, report } = await load('--target', target, ...relay, '--duration', '1s', '--rate', '300');
    expect(output).toContain('Failed');
    expect(code).toBe(1);
    const { mismatches } = await report();
    expect(Object.keys(mismatches).sort()).toEqual(['lost', 'order', 'repeated', 'wrong chat']);
    expect(mismatches.lost).toBe(dropped.size);
  });

  it('reports what it has when it is interrupted', async () => {
    const target = await serve({
      relay: (message, deliver) => {
        deliver();
        if (message === 20) children[0]?.kill('SIGINT');
      },
    });
    const { code, output, report } = await load('--target', target, ...relay, '--duration', '1h', '--rate', '100');
    expect(output).toContain('It was interrupted');
    expect(code).toBe(130);
    const { interrupted, totals } = await report();
    expect(interrupted).toBe(true);
    expect(totals.sent).toBeGreaterThanOrEqual(20);
    expect(totals.delivered).toBe(totals.sent);
  });

  it('writes where it is told to, and says beforehand when it cannot', async () => {
    const target = await serve();
    const [json, html] = [join(dir, 'new', 'run.json'), join(dir, 'run.html')];
    const idle = ['--target', target, '--scenario', 'idle', '--users', '1', '--duration', '100ms'];
    const { code, output } = await load(...idle, '--json', json, '--html', html);
    expect(output).toContain(`The same with plots: ${html}. All figures of every second: ${json}.`);
    expect(code).toBe(0);
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ scenario: 'idle' });
    expect(await readFile(html, 'utf8')).toMatch(/^<!doctype html>/i);
    const refused = await load(...idle, '--html', dir);
    expect(refused.output).toBe(`${dir} cannot be written (EISDIR).\n`);
    expect(refused.code).toBe(2);
  });

  it('says that nothing is there, or that the target lets nobody in', async () => {
    const nobody = await load('--target', 'http://127.0.0.1:1');
    expect(nobody.output).toMatch(/^Nothing listens at http:\/\/127\.0\.0\.1:1\. Is it running\? .*\n$/);
    expect(nobody.code).toBe(2);
    const refused = await load('--target', await serve({ refusal: 'TOO_MANY_CONNECTIONS' }));
    expect(refused.output).toMatch(/RATE_LIMITS=off.*LIMIT_ADDRESS_CONNECTIONS\.\n$/);
    expect(refused.code).toBe(2);
  });

  // Elsewhere the workers cannot be found.
  const onLinux = process.platform === 'linux' ? it : it.skip;

  onLinux('is void when a worker dies', async () => {
    const target = await serve({
      relay: async message => {
        if (message !== 10) return;
        const { pid } = children[0] ?? {};
        const workers = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
        process.kill(Number(workers.split(' ')[0]), 'SIGKILL');
      },
    });
    const { code, output } = await load('--target', target, ...relay, '--duration', '1h', '--workers', '2');
    expect(output).toContain('Worker 1 of the load tester was ended by SIGKILL.');
    expect(code).toBe(2);
  });
});
