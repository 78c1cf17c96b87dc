import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RedisPool } from '../../../tests/support/redis-pool.ts';
import { withoutOrphan } from '../../cluster/src/server-process.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

/** Where a process finds its pool. */
type PoolAddress = Pick<RedisPool, 'url' | 'prefix'>;

/** A recorder as production runs it: a process of its own. */
export class RecorderProcess {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Starts a recorder of a pool and waits until it records. */
  static async start(pool: PoolAddress, databaseUrl: string): Promise<RecorderProcess> {
    const { child, output } = launch('main.js', pool, databaseUrl);
    for await (const line of createInterface(output)) {
      if (JSON.parse(line).msg !== 'Recording.') continue;
      output.resume();
      return new RecorderProcess(child);
    }
    throw new Error('The recorder ended before it recorded.');
  }

  /** Sends a signal and waits for the end. @returns the exit code, or null when the signal itself ended it */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return exitCode;
    const exit = once(this.#process, 'exit');
    this.#process.kill(signal);
    const [code] = await exit;
    return code;
  }
}

/** Runs the command that puts refused facts back. Answers what it printed; rejects when it fails. */
export async function retryRefused(pool: PoolAddress, databaseUrl: string): Promise<string> {
  const { child, output } = launch('retry-refused.js', pool, databaseUrl);
  let printed = '';
  output.on('data', chunk => {
    printed += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`It ended with code ${code}.`);
  return printed;
}

function launch(script: string, pool: PoolAddress, databaseUrl: string): { child: ChildProcess; output: Readable } {
  // Ends with the process that runs the tests, even if that is killed.
  const child = spawn(...withoutOrphan(process.execPath, [`${dist}/${script}`]), {
    env: {
      PATH: process.env.PATH,
      PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN,
      PORT: '0',
      HOST: '127.0.0.1',
      REDIS_URL: pool.url,
      REDIS_PREFIX: pool.prefix,
      DATABASE_URL: databaseUrl,
      BATCH_SIZE: '100',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!child.stdout) throw new Error('The process has no output.');
  return { child, output: child.stdout };
}
