import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisServer } from '../../../apps/cluster/src/index.ts';

/** A Redis that can stop to answer. */
export class PausableRedis {
  readonly #dir: string;
  readonly #server: RedisServer;

  private constructor(dir: string, server: RedisServer) {
    this.#dir = dir;
    this.#server = server;
  }

  static async start(): Promise<PausableRedis> {
    const dir = await mkdtemp(join(tmpdir(), 'passerby-browser-test-'));
    return new PausableRedis(dir, await RedisServer.start({ dir }));
  }

  get url(): string {
    return this.#server.url;
  }

  pause(): void {
    if (this.#server.process.pid) process.kill(this.#server.process.pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.#server.process.pid) process.kill(this.#server.process.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    this.resume();
    await this.#server.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
