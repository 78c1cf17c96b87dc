import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { adminTokenFrom } from './admin-token.ts';
import { isReady, launchApp } from './app-process.ts';
import type { Config } from './config.ts';
import { requirePostgres, requireRedis } from './databases.ts';
import { findRedis } from './find-redis.ts';
import { choosePort, requireFree } from './ports.ts';
import { PostgresServer } from './postgres-server.ts';
import { PublicAddress } from './public-address.ts';
import { RedisServer } from './redis-server.ts';
import { Service } from './service.ts';

/** Where everything but the public address listens: nobody else has business there. */
const ownAddress = '127.0.0.1';

export interface ClusterOptions {
  readonly config: Config;
  /** A step of the start begins: a few words, such as `Starting Redis`. */
  readonly onStep: (step: string) => void;
  /** Something happened, after the start, to a part that runs: a sentence. */
  readonly onEvent: (sentence: string) => void;
}

/** Where the parts of a cluster are. */
export interface ClusterParts {
  readonly publicPort: number;
  readonly nodePorts: readonly number[];
  readonly recorderPort: number;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  /** Holds the admin token of the nodes; undefined if it is a setting. */
  readonly adminTokenFile: string | undefined;
  /** Holds the password of the database; undefined if the database is not the cluster's own. */
  readonly passwordFile: string | undefined;
}

/** A whole cluster on this machine: Redis, PostgreSQL, the recorder, chat nodes, and the public address before them. */
export class Cluster {
  readonly #options: ClusterOptions;
  /** Services that stop together, in the order of their start. The groups stop in the opposite order. */
  readonly #groups: Service[][] = [];
  readonly #apps: Service[] = [];
  #publicAddress: PublicAddress | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /**
   * Starts everything, in order. To be called once.
   * @throws Error that says what failed, why, and what to do. What has been started runs until `stop`.
   */
  async start(): Promise<ClusterParts> {
    const { config } = this.#options;
    const publicPort = config.port;
    const nodePorts = Array.from({ length: config.nodes }, (_, index) => publicPort + 1 + index);
    const recorderPort = publicPort + 1 + config.nodes;
    await this.#step('Checking the ports', async () => {
      await requireFree([publicPort], config.host);
      await requireFree([...nodePorts, recorderPort], ownAddress);
    });
    await rm(join(config.dataDir, 'logs'), { recursive: true, force: true });

    const redisUrl = config.redisUrl ?? (await this.#startRedis());
    if (config.redisUrl) await this.#step('Checking REDIS_URL', () => requireRedis(redisUrl));
    const { url: databaseUrl, passwordFile } = config.databaseUrl
      ? { url: config.databaseUrl, passwordFile: undefined }
      : await this.#startPostgres();
    await this.#step('Bringing the database up to date', () => requirePostgres(databaseUrl));

    const recorder = this.#app('The recorder', 'recorder', recorderPort, {
      ...{ REDIS_URL: redisUrl, DATABASE_URL: databaseUrl, POOLS: config.pools },
    });
    await this.#startTogether('Starting the recorder', [recorder]);

    const adminTokenFile = config.adminToken === undefined ? join(config.dataDir, 'admin-token') : undefined;
    const adminToken = adminTokenFile === undefined ? config.adminToken : await adminTokenFrom(adminTokenFile);
    const addressSecret = config.addressSecret ?? randomBytes(18).toString('base64url');
    const nodes = nodePorts.map((port, index) =>
      this.#app(`Chat node ${index + 1}`, `chat-node-${index + 1}`, port, {
        REDIS_URL: redisUrl,
        // The public address says where a client comes from.
        TRUST_PROXY: 'loopback',
        ADDRESS_SECRET: addressSecret,
        ...(adminToken !== undefined && { ADMIN_TOKEN: adminToken }),
      }),
    );
    await this.#startTogether(`Starting ${nodes.length === 1 ? 'a chat node' : `${nodes.length} chat nodes`}`, nodes);

    await this.#step('Opening the public address', async () => {
      // Over HTTP polling, a client has two: one waits for news while it sends over the other.
      this.#publicAddress = new PublicAddress(nodes, { mostOfAddress: 2 * config.mostOfAddress * nodes.length });
      await this.#publicAddress.listen(publicPort, config.host);
    });
    return { publicPort, nodePorts, recorderPort, redisUrl, databaseUrl, passwordFile, adminTokenFile };
  }

  /** Stops everything that has been started, in good order; a start under way fails. May be called more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  /** Makes a stop that is under way a short one: kills our own apps. Redis and PostgreSQL still write everything down. */
  hurry(): void {
    this.#publicAddress?.close();
    for (const app of this.#apps) app.kill();
  }

  async #stopAll(): Promise<void> {
    this.#publicAddress?.stopAccepting();
    for (const group of this.#groups.toReversed()) {
      await Promise.all(group.map(service => service.stop()));
      // The first group to stop are the chat nodes: they have told their users.
      this.#publicAddress?.close();
    }
  }

  async #startRedis(): Promise<string> {
    const { config, onStep, onEvent } = this.#options;
    const binary = await this.#step('Looking for Redis', () => findRedis({ onProgress: onStep }));
    const port = await choosePort(config.redisPort, 'REDIS_PORT');
    const dir = join(config.dataDir, 'redis');
    const redis = new Service({
      name: 'Redis',
      url: `redis://127.0.0.1:${port}`,
      launch: async started => {
        const server = await RedisServer.start({
          dir,
          port,
          binary,
          persistent: true,
          logFile: this.#logFile('redis'),
        });
        started(server.process);
      },
      onEvent,
    });
    await this.#startTogether('Starting Redis', [redis]);
    return redis.url;
  }

  async #startPostgres(): Promise<{ url: string; passwordFile: string }> {
    const { config, onEvent } = this.#options;
    const port = await choosePort(config.postgresPort, 'POSTGRES_PORT');
    const dir = join(config.dataDir, 'postgres');
    let server: PostgresServer | undefined;
    const postgres = new Service({
      name: 'PostgreSQL',
      url: `postgresql://127.0.0.1:${port}`,
      launch: async started => {
        server = await PostgresServer.start({ dir, port, logFile: this.#logFile('postgres') });
        started(server.process);
      },
      onEvent,
    });
    await this.#startTogether('Starting PostgreSQL', [postgres]);
    if (!server) throw new Error('PostgreSQL was stopped while it started.');
    return server;
  }

  /** `id` begins with the name of the app, and names the log. */
  #app(name: string, id: string, port: number, settings: Record<string, string>): Service {
    const { config, onEvent } = this.#options;
    const url = `http://${ownAddress}:${port}`;
    const folder = id === 'recorder' ? 'recorder' : 'chat-node';
    const service = new Service({
      name,
      url,
      launch: started =>
        launchApp(
          {
            name,
            script: join(config.projectDir, 'apps', folder, 'dist/main.js'),
            // All nodes stop together: there is nowhere to move users to.
            env: { DRAIN_MS: '0', ...process.env, ...settings, PORT: String(port), HOST: ownAddress },
            url,
            logFile: this.#logFile(id),
          },
          started,
        ),
      isReady: () => isReady(url),
      onEvent,
    });
    this.#apps.push(service);
    return service;
  }

  async #startTogether(step: string, services: Service[]): Promise<void> {
    await this.#step(step, async () => {
      this.#groups.push(services);
      await Promise.all(services.map(service => service.start()));
    });
  }

  async #step<T>(step: string, work: () => Promise<T>): Promise<T> {
    if (this.#stopped !== undefined) throw new Error('Stopped while starting.');
    this.#options.onStep(step);
    return work();
  }

  #logFile(name: string): string {
    return join(this.#options.config.dataDir, 'logs', `${name}.log`);
  }
}
