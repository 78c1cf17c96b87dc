import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import getPort from 'get-port';
import { Redis } from 'ioredis';
import { findRedis } from './find-redis.ts';
import { previousProcess } from './previous-process.ts';
import type { RedisBinary } from './redis-binary.ts';
import { ServerProcess } from './server-process.ts';

const readyWithinMs = 60_000;

export interface RedisServerOptions {
  /** Folder for its data and its log; made if missing, and left in place when the server stops. */
  readonly dir: string;
  /** A free one is chosen if not given. */
  readonly port?: number;
  /** Keep the data across restarts, losing at most about one second in a crash. Default: keep nothing. */
  readonly persistent?: boolean;
  /** Default: `redis.log` in `dir`. */
  readonly logFile?: string;
  /** Default: what `findRedis` finds on this machine. */
  readonly binary?: RedisBinary;
}

/** A real Redis (or Valkey) of our own, reachable only from this machine, which ends when this process ends. */
export class RedisServer {
  readonly url: string;
  readonly port: number;
  readonly process: ServerProcess;

  private constructor(port: number, process: ServerProcess) {
    this.url = `redis://127.0.0.1:${port}`;
    this.port = port;
    this.process = process;
  }

  /**
   * Starts a server and waits until it has loaded its data and answers.
   * @throws Error that says what went wrong and what to do.
   */
  static async start(options: RedisServerOptions): Promise<RedisServer> {
    const { dir, persistent = false } = options;
    const binary = options.binary ?? (await findRedis());
    const port = options.port ?? (await getPort({ host: '127.0.0.1' }));
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const pidFile = join(dir, 'redis.pid');
    await previousProcess({ name: 'Redis', pidFile, dir });
    const server = new ServerProcess({
      name: 'Redis',
      command: binary.path,
      args: [
        ...['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--pidfile', pidFile],
        ...['--save', '', '--appendonly', persistent ? 'yes' : 'no', '--appendfsync', 'everysec'],
      ],
      env: { ...process.env, ...binary.env },
      logFile: options.logFile ?? join(dir, 'redis.log'),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
    });
    const redis = new RedisServer(port, server);
    await server.untilReady(() => answers(redis), readyWithinMs);
    return redis;
  }

  /** Stops the server in good order; a persistent one has written everything when this returns. */
  async stop(): Promise<void> {
    await this.process.stop();
  }
}

/** Whether it is this very server that answers on the port, with its data loaded. */
async function answers({ url, process }: RedisServer): Promise<boolean> {
  const probe = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    // What else may have the port might never say a word.
    connectTimeout: 1000,
    commandTimeout: 1000,
  });
  probe.on('error', () => {}); // Not being there yet is what we are waiting out.
  try {
    await probe.connect();
    const info = await probe.info();
    return info.includes(`\nprocess_id:${process.pid}\r`) && info.includes('\nloading:0\r');
  } catch {
    return false;
  } finally {
    probe.disconnect();
  }
}
