import pg from 'pg';
import { eventually } from '../../../tests/support/eventually.ts';
import { PostgresServer } from '../../cluster/src/index.ts';

/** A PostgreSQL of its own that can be stopped and killed with all its processes, and keeps what it committed. */
export class StoppablePostgres {
  readonly #dir: string;
  #server: PostgresServer;
  #stopped: number[] = [];

  private constructor(dir: string, server: PostgresServer) {
    this.#dir = dir;
    this.#server = server;
  }

  static async start(dir: string): Promise<StoppablePostgres> {
    return new StoppablePostgres(dir, await PostgresServer.start({ dir }));
  }

  get url(): string {
    return this.#server.url;
  }

  /** SIGSTOP: it takes connections, and says nothing any more. */
  async freeze(): Promise<void> {
    this.#stopped = await this.#signalAll('SIGSTOP');
  }

  thaw(): void {
    for (const pid of this.#stopped.splice(0)) process.kill(pid, 'SIGCONT');
  }

  /** SIGKILL, and a start on the same port. */
  async killAndRestart(): Promise<void> {
    await this.#signalAll('SIGKILL');
    await this.#server.process.ended;
    const { port } = this.#server;
    // What is left of the killed one may hold its memory for a moment.
    this.#server = await eventually(() => PostgresServer.start({ dir: this.#dir, port }));
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.#server.stop();
  }

  /** @returns the ids of the processes */
  async #signalAll(signal: NodeJS.Signals): Promise<number[]> {
    const client = new pg.Client(this.url);
    client.on('error', () => undefined);
    await client.connect();
    const main = this.#server.process.pid;
    if (main === undefined) throw new Error('PostgreSQL does not run.');
    // Once the main process stands still, there will be no others than those that it knows now.
    process.kill(main, 'SIGSTOP');
    const { rows } = await client.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    const pids = [main, ...rows.map(({ pid }) => pid)];
    for (const pid of pids) process.kill(pid, signal);
    if (signal === 'SIGKILL') await client.end().catch(() => undefined);
    else void client.end().catch(() => undefined);
    return pids;
  }
}
