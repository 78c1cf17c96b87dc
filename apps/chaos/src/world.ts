import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedis, PostgresServer, type RedisBinary, RedisServer } from '@passerby/cluster';
import { applyMigrations } from '@passerby/database';
import getPort from 'get-port';
import { Redis } from 'ioredis';
import { ChatNode } from './chat-node.ts';
import { baseEnvironment, projectDir } from './config.ts';
import { FaultProxy } from './fault-proxy.ts';
import { launchApp, Program } from './program.ts';

/** Rows that are left open are closed within a few times this, so that the end of a run need not wait for long. */
const sweepEveryMs = 5000;

export interface WorldOptions {
  /** Holds everything that the processes write. */
  dir: string;
  nodes: number;
  leaseMs: number;
  graceMs: number;
  /** What to make wrong in the nodes. */
  broken: string | undefined;
  /** Told, in a sentence, what must not happen, such as the end of a process that nobody asked to end. */
  complain: (sentence: string) => void;
}

/**
 * The servers that are put to the test, each a process of its own on a free port of this machine. All talk with Redis and
 * PostgreSQL through proxies, so that these may be cut off, or come back on another port.
 */
export class World {
  readonly nodes: ChatNode[] = [];
  readonly redis: Program;
  readonly postgres: Program;
  readonly recorders: Program[] = [];
  readonly #options: WorldOptions;
  #redisBinary: RedisBinary | undefined;
  #redisPort: number | undefined;
  #postgresUrl: URL | undefined;
  #postgresProxy: FaultProxy | undefined;
  #recorderRedisProxy: FaultProxy | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { complain } = options;
    this.redis = new Program({
      name: 'redis',
      complain,
      launch: async (incarnation, started) => {
        this.#redisPort = undefined;
        this.#redisBinary ??= await findRedis();
        const server = await RedisServer.start({
          ...{ dir: this.#redisDir, persistent: true, binary: this.#redisBinary, logFile: this.#log(incarnation) },
        });
        started(server.process);
        this.#redisPort = server.port;
      },
    });
    this.postgres = new Program({
      name: 'postgres',
      complain,
      launch: async (incarnation, started) => {
        this.#postgresUrl = undefined;
        const dir = join(options.dir, 'postgres');
        // Not `fast`: that forgets, when it is killed, what it has just committed.
        const server = await PostgresServer.start({ dir, logFile: this.#log(incarnation) });
        started(server.process);
        this.#postgresUrl = new URL(server.url);
      },
    });
  }

  /** Starts everything. @throws Error that says what failed */
  async start(): Promise<void> {
    const { nodes, leaseMs, graceMs, broken, complain } = this.#options;
    await Promise.all([this.redis.start(), this.postgres.start()]);
    await applyMigrations(this.databaseUrl);
    this.#postgresProxy = await FaultProxy.listen(() => Number(this.#postgresUrl?.port ?? Number.NaN) || undefined);
    this.#recorderRedisProxy = await FaultProxy.listen(() => this.#redisPort);
    this.recorders.push(this.#recorder('recorder-1'));
    for (let index = 1; index <= nodes; index++) {
      this.nodes.push(
        await ChatNode.create({
          name: `node-${index}`,
          redisPort: () => this.#redisPort,
          settings: { LEASE_MS: String(leaseMs), RESUME_WITHIN_MS: String(graceMs), DRAIN_MS: '3000' },
          broken,
          logFile: incarnation => this.#log(incarnation),
          complain,
        }),
      );
    }
    await Promise.all([...this.recorders, ...this.nodes.map(node => node.program)].map(program => program.start()));
  }

  /** Starts a second recorder beside the first. */
  async addRecorder(): Promise<Program> {
    const recorder = this.#recorder(`recorder-${this.recorders.length + 1}`);
    this.recorders.push(recorder);
    await recorder.start();
    return recorder;
  }

  /** A connection of our own, past all proxies. Close it with `disconnect()`. */
  connectRedis(): Redis {
    if (this.#redisPort === undefined) throw new Error('Redis does not run.');
    const redis = new Redis(this.#redisPort, '127.0.0.1', { maxRetriesPerRequest: 1, commandTimeout: 10_000 });
    redis.on('error', () => {}); // A command that fails tells.
    return redis;
  }

  /** To be called while Redis does not run. */
  async wipeRedis(): Promise<void> {
    await rm(join(this.#redisDir, 'appendonlydir'), { recursive: true, force: true });
  }

  /** The database, past all proxies. */
  get databaseUrl(): string {
    if (!this.#postgresUrl) throw new Error('PostgreSQL does not run.');
    return this.#postgresUrl.href;
  }

  get postgresProxy(): FaultProxy {
    if (!this.#postgresProxy) throw new Error('Not started.');
    return this.#postgresProxy;
  }

  get logDir(): string {
    return join(this.#options.dir, 'logs');
  }

  /** Asks the apps to stop in good order, which is part of the test. */
  async stopApps(): Promise<void> {
    await Promise.all([...this.nodes.map(({ program }) => program), ...this.recorders].map(each => each.terminate()));
  }

  /** Ends all that is left, however it is. */
  async destroy(): Promise<void> {
    for (const node of this.nodes) node.close();
    const programs = [...this.nodes.map(({ program }) => program), ...this.recorders, this.redis, this.postgres];
    await Promise.all(programs.map(program => program.kill()));
    this.#postgresProxy?.close();
    this.#recorderRedisProxy?.close();
  }

  get #redisDir(): string {
    return join(this.#options.dir, 'redis');
  }

  #log(incarnation: string): string {
    return join(this.logDir, `${incarnation}.log`);
  }

  #recorder(name: string): Program {
    return new Program({
      name,
      complain: this.#options.complain,
      launch: async (incarnation, started) => {
        const database = new URL(this.databaseUrl);
        database.port = String(this.postgresProxy.port);
        const port = await getPort({ host: '127.0.0.1' });
        const env = {
          ...baseEnvironment(),
          PORT: String(port),
          HOST: '127.0.0.1',
          REDIS_URL: `redis://127.0.0.1:${this.#recorderRedisProxy?.port}`,
          DATABASE_URL: database.href,
          SWEEP_EVERY_MS: String(sweepEveryMs),
        };
        const args = [join(projectDir, 'apps/recorder/dist/main.js')];
        await launchApp(
          { incarnation, args, env, logFile: this.#log(incarnation), url: `http://127.0.0.1:${port}` },
          started,
        );
      },
    });
  }
}
