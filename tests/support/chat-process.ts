import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RedisPool } from './redis-pool.ts';

const entry = fileURLToPath(new URL('../../apps/chat-node/dist/main.js', import.meta.url));

export interface LogLine {
  msg: string;
  level: number;
  node?: string;
  [field: string]: unknown;
}

/** A chat node as production runs it: a process of its own, on a free port. */
export class ChatProcess {
  readonly url: string;
  readonly process: ChildProcess;
  /** All that it has logged. */
  readonly log: LogLine[];

  private constructor(url: string, process: ChildProcess, log: LogLine[]) {
    this.url = url;
    this.process = process;
    this.log = log;
  }

  /** Starts a node in a pool and waits until it takes users. Limits are off unless `environment` says otherwise. */
  static async start(pool: RedisPool, environment: Record<string, string> = {}): Promise<ChatProcess> {
    const child = spawn(process.execPath, [entry], {
      env: {
        PATH: process.env.PATH,
        PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN,
        PORT: '0',
        HOST: '127.0.0.1',
        REDIS_URL: pool.url,
        REDIS_PREFIX: pool.prefix,
        RATE_LIMITS: 'off',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log: LogLine[] = [];
    let port: unknown;
    let errors = '';
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const ready = new Promise<void>((resolve, reject) => {
      child.once('exit', code => reject(new Error(`The chat node ended with code ${code}: ${errors}`)));
      createInterface(child.stdout).on('line', line => {
        const entry: LogLine = JSON.parse(line);
        log.push(entry);
        if (entry.msg === 'Listening.') port = entry.port;
        if (entry.msg === 'This process is a node now.') resolve();
      });
    });
    await ready;
    return new ChatProcess(`http://127.0.0.1:${port}`, child, log);
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split('\n').find(each => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  }

  /** Sends a signal and waits for the end. @returns the exit code, or null when the signal itself ended it */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    const exit = once(this.process, 'exit');
    this.process.kill(signal);
    const [code] = await exit;
    return code;
  }

  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }
}
