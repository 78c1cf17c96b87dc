import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ended {
  code: number | null;
  /** What it wrote, to both streams. */
  output: string;
}

/** Runs a program of this app as its npm command does after the build, in a new folder. */
export class Command {
  readonly #main: string;
  readonly #children: ChildProcess[] = [];
  /** Where it runs, for what it leaves. */
  dir = '';

  /** @param main the program, below `dist` */
  constructor(main: string) {
    this.#main = join(__dirname, '../dist', main);
    beforeEach(async () => {
      this.dir = await mkdtemp(join(tmpdir(), 'passerby-chaos-out-'));
    });
    afterEach(async () => {
      await Promise.all(this.#children.splice(0).map(stop));
      await rm(this.dir, { recursive: true, force: true });
    });
  }

  /** Runs it to its end. @param signalAt sends SIGTERM when it has written this */
  async run(args: readonly string[], signalAt?: string): Promise<Ended> {
    const child = spawn(process.execPath, [this.#main, ...args], {
      cwd: this.dir,
      env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        output += data;
        if (signalAt !== undefined && output.includes(signalAt)) child.kill('SIGTERM');
      });
    }
    const [code] = await once(child, 'close');
    return { code, output };
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM'); // It ends all that it has started.
  await closed;
}
