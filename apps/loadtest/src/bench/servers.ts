import { join } from 'node:path';
import { isReady, PostgresServer, RedisServer, ServerProcess } from '@passerby/cluster';
import { applyMigrations } from '@passerby/database';
import getPort from 'get-port';
import { programDir, projectDir, serverEnvironment } from './config.ts';
import type { Pairing } from './pair-of-clients.ts';

const readyWithinMs = 60_000;

/** The limits of a node, on and counting, and too high to refuse what one address does here. */
const wideLimits = {
  LIMIT_USER_MESSAGES: '99999999/10',
  LIMIT_USER_REQUESTS: '99999999/10',
  LIMIT_USER_RESUMES: '99999999/60',
  LIMIT_ADDRESS_MESSAGES: '99999999/10',
  LIMIT_ADDRESS_REQUESTS: '99999999/10',
  LIMIT_ADDRESS_CONNECTIONS: '99999999/60',
  LIMIT_ADDRESS_OPEN: '1000000',
  LIMIT_ADDRESS_HANDSHAKES: '99999999/60',
  LIMIT_ADDRESS_HTTP: '99999999/10',
  LIMIT_ADDRESS_PACKETS: '99999999/10',
  LIMIT_CONNECTION_PACKETS: '99999999/10',
};

/** Servers that do a job together, and are measured together. */
export interface Contestant {
  name: string;
  /** Where its nodes listen, on this machine. */
  ports: number[];
  /** Process ids, by what the processes are. */
  processes: { nodes: number[]; redis: number[]; recording: number[] };
  redisUrl: string;
  /** How its users become partners. */
  pairing: Pairing;
}

interface NodeOptions {
  name: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  port: number;
  core?: number | undefined;
}

export type Competitor = 'bare' | 'channels' | 'classic' | 'sharded';

/** Starts servers, each a process of its own on a free port, and stops them all. */
export class Servers {
  readonly #dir: string;
  readonly #running: ServerProcess[] = [];
  #postgres: Promise<PostgresServer> | undefined;
  #names = 0;

  /** @param dir holds what they write */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Passerby with all its features: nodes as they are built, with limits, a Redis of its own that writes to disk, and a
   * recorder that writes to PostgreSQL.
   * @param nodeArgs for the Node.js of the nodes
   */
  async passerby({ nodes, nodeArgs = [] }: { nodes: number; nodeArgs?: string[] }): Promise<Contestant> {
    const [redis, postgres] = await Promise.all([this.redis(), this.postgres()]);
    const recorder = await this.#app('recorder', { REDIS_URL: redis.url, DATABASE_URL: postgres.url });
    const started = await Promise.all(
      Array.from({ length: nodes }, () => this.#app('chat-node', { REDIS_URL: redis.url, ...wideLimits }, nodeArgs)),
    );
    return {
      name: nodes === 1 ? 'Passerby' : `Passerby, ${nodes} nodes`,
      ports: started.map(({ port }) => port),
      processes: {
        nodes: started.map(({ pid }) => pid),
        redis: pidsOf(redis.process),
        recording: [recorder.pid, ...pidsOf(postgres.process)],
      },
      redisUrl: redis.url,
      pairing: 'search',
    };
  }

  /**
   * A chat node alone, with its limits off.
   * @param core the only one of the machine's that it may use, where that can be said
   */
  async chatNode({ redisUrl, core }: { redisUrl: string; core: number | undefined }) {
    return this.#app('chat-node', { REDIS_URL: redisUrl, RATE_LIMITS: 'off' }, [], core);
  }

  /** A competitor; all but `bare` get a Redis of their own. */
  async competitor(
    kind: Competitor,
    { nodes = 1, nodeArgs = [] }: { nodes?: number; nodeArgs?: string[] } = {},
  ): Promise<Contestant> {
    const redis = kind === 'bare' ? undefined : await this.redis();
    const file = kind === 'classic' || kind === 'sharded' ? 'rooms' : kind;
    const script = join(programDir, 'competitors', `${file}.js`);
    const start = async () => {
      const port = await getPort({ host: '127.0.0.1' });
      const own = file === 'rooms' ? [kind] : [];
      const all = [...nodeArgs, script, String(port), ...own, ...(redis ? [redis.url] : [])];
      return this.#node({ name: kind, args: all, env: {}, port });
    };
    const started = await Promise.all(Array.from({ length: nodes }, start));
    return {
      name: nodes === 1 ? kind : `${kind}, ${nodes} nodes`,
      ports: started.map(({ port }) => port),
      processes: { nodes: started.map(({ pid }) => pid), redis: redis ? pidsOf(redis.process) : [], recording: [] },
      redisUrl: redis?.url ?? '',
      pairing: 'tell',
    };
  }

  /** A Redis that writes to disk, as the one of a cluster does. */
  async redis(): Promise<RedisServer> {
    const redis = await RedisServer.start({ dir: join(this.#dir, this.#name('redis')), persistent: true });
    this.#running.push(redis.process);
    return redis;
  }

  /** The PostgreSQL of all, with the tables of the recorder. It writes to disk. */
  postgres(): Promise<PostgresServer> {
    this.#postgres ??= (async () => {
      const postgres = await PostgresServer.start({ dir: join(this.#dir, 'postgres') });
      this.#running.push(postgres.process);
      await applyMigrations(postgres.url);
      return postgres;
    })();
    return this.#postgres;
  }

  /** Stops all but PostgreSQL, which the next may use. */
  async stopContestants(): Promise<void> {
    // If it did not start there is nothing of it to keep.
    const postgres = (await this.#postgres?.catch(() => undefined))?.process;
    const others = this.#running.filter(each => each !== postgres);
    this.#running.splice(0, Number.POSITIVE_INFINITY, ...(postgres ? [postgres] : []));
    // Killed: nobody needs what they would write down or tell.
    for (const each of others) each.kill();
    await Promise.all(others.map(each => each.ended));
  }

  async stop(): Promise<void> {
    await this.stopContestants();
    await (await this.#postgres?.catch(() => undefined))?.stop();
  }

  #name(what: string): string {
    this.#names += 1;
    return `${what}-${this.#names}`;
  }

  async #app(
    app: 'chat-node' | 'recorder',
    settings: Record<string, string>,
    nodeArgs: string[] = [],
    core?: number | undefined,
  ) {
    const port = await getPort({ host: '127.0.0.1' });
    const args = [...nodeArgs, join(projectDir, 'apps', app, 'dist/main.js')];
    return this.#node({ name: app, args, env: { ...settings, PORT: String(port), HOST: '127.0.0.1' }, port, core });
  }

  async #node({ name, args, env, port, core }: NodeOptions) {
    const logFile = join(this.#dir, `${this.#name(name)}.log`);
    const program = new ServerProcess({
      name,
      ...(core === undefined
        ? { command: process.execPath, args }
        : { command: 'taskset', args: ['-c', String(core), process.execPath, ...args] }),
      env: { ...serverEnvironment(), ...env },
      logFile,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 5000,
    });
    this.#running.push(program);
    await program.untilReady(() => isReady(`http://127.0.0.1:${port}`), readyWithinMs);
    const [pid = Number.NaN] = pidsOf(program);
    return { port, pid, logFile };
  }
}

function pidsOf({ pid }: ServerProcess): number[] {
  return pid === undefined ? [] : [pid];
}
