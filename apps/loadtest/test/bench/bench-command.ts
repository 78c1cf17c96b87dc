import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RunningBench {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

/** Runs the benchmarks as `npm run bench` does after the build, in a new folder for each test. */
export class BenchCommand {
  /** What the benchmarks write; all that they start has this folder in its environment. */
  dir = '';

  constructor() {
    beforeEach(async () => {
      this.dir = await mkdtemp(join(tmpdir(), 'passerby-bench-test-'));
    });
    afterEach(() => rm(this.dir, { recursive: true, force: true }));
  }

  start(...args: string[]): RunningBench {
    const child = spawn(process.execPath, [join(__dirname, '../../dist/bench/main.js'), ...args], {
      cwd: this.dir,
      env: { PATH: process.env.PATH, TMPDIR: this.dir, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
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
  async started(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (environment.split('\0').includes(`TMPDIR=${this.dir}`)) found.push(pid);
    }
    return found;
  }
}
