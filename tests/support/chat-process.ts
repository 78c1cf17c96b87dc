import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withoutOrphan } from '../../apps/cluster/src/server-process.ts';
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
  url = '';
  readonly process: ChildProcess;
  /** All that it has logged. */
  readonly log: LogLine[] = [];
  /** What it wrote elsewhere than to its log: nothing, in good order. */
  errors = '';
  readonly #logged = new EventEmitter();
  #closed = false;

  private constructor(process: ChildProcess) {
    this.process = process;
    process.stderr?.on('data', chunk => {
      this.errors += chunk;
    });
    process.once('close', () => {
      this.#closed = true;
      this.#logged.emit('line');
    });
    this.#logged.setMaxListeners(0);
    if (process.stdout) {
      createInterface(process.stdout).on('line', line => {
        this.log.push(JSON.parse(line));
        this.#logged.emit('line');
      });
    }
  }

  /** Starts a node in a pool and waits until it takes users. Limits are off unless `environment` says otherwise. */
  static async start(pool: RedisPool, environment: Record<string, string> = {}): Promise<ChatProcess> {
    const node = await ChatProcess.launch(pool, environment);
    await node.logged('This process is a node now.');
    return node;
  }

  /** Starts a node and waits only until it listens. */
  static async launch(pool: RedisPool, environment: Record<string, string> = {}): Promise<ChatProcess> {
    // Ends with the process that runs the tests, even if that is killed.
    const child = spawn(...withoutOrphan(process.execPath, [entry]), {
      env: {
        PATH: process.env.PATH,
        PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN,
        PORT: '0',
        HOST: '127.0.0.1',
        REDIS_URL: pool.url,
        REDIS_PREFIX: pool.prefix,
        RATE_LIMITS: 'off',
        DRAIN_MS: '0',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const node = new ChatProcess(child);
    const { port } = await node.logged('Listening.');
    node.url = `http://127.0.0.1:${port}`;
    return node;
  }

  /** The `count`th line of the log with this message. Waits for it; rejects when the process ends without it. */
  async logged(msg: string, count = 1): Promise<LogLine> {
    for (;;) {
      const line = this.log.filter(each => each.msg === msg)[count - 1];
      if (line) return line;
      if (this.#closed) throw new Error(`The chat node ended without logging "${msg}". ${this.errors}`);
      await once(this.#logged, 'line');
    }
  }

  /** What it warned of. That Redis took a second to answer is not in it: on a busy machine that is nobody's fault. */
  get warnings(): LogLine[] {
    return this.log.filter(({ level, msg }) => level >= 40 && !msg.startsWith('The store cannot be reached.'));
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split('\n').find(each => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  }

  /** The status of an HTTP request. */
  async status(path: string, options: RequestInit = {}): Promise<number> {
    const response = await fetch(this.url + path, options);
    await response.arrayBuffer();
    return response.status;
  }

  /** Sends a signal and waits for the end. @returns the exit code, or null when the signal itself ended it */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.ended) return this.process.exitCode;
    const exit = once(this.process, 'exit');
    this.process.kill(signal);
    const [code] = await exit;
    return code;
  }

  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }
}
