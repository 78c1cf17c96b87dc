import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';
import { withoutOrphan } from '../../apps/cluster/src/server-process.ts';
import { eventually } from '../support/eventually.ts';

const configFile = fileURLToPath(new URL('../../deploy/haproxy.cfg', import.meta.url));

/** As docker-compose.yml has them. */
const defaults = {
  TRUSTED_PROXIES: '127.0.0.99',
  BALANCER_ADDRESS_OPEN: '4000',
  BALANCER_ADDRESS_REQUESTS: '10000',
  BALANCER_ADDRESS_HANDSHAKES: '1000',
  BALANCER_CONNECTION_REQUESTS: '500',
};

export interface Visit {
  /** The address it comes from: 127.0.0.1 unless said. */
  readonly from?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A real HAProxy with deploy/haproxy.cfg, in which only the place of the nodes is another one. */
export class Balancer {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #dir: string;

  private constructor(port: number, process: ChildProcess, dir: string) {
    this.port = port;
    this.#process = process;
    this.#dir = dir;
  }

  static async start(nodePorts: readonly number[], settings: Record<string, string> = {}): Promise<Balancer> {
    const port = await getPort();
    const dir = await mkdtemp(join(tmpdir(), 'passerby-balancer-'));
    const file = join(dir, 'haproxy.cfg');
    const template = /^ *server-template node- 100 chat-node:3000$/m;
    const config = await readFile(configFile, 'utf8');
    if (!template.test(config)) throw new Error('deploy/haproxy.cfg names its nodes in another way now.');
    const servers = nodePorts.map((nodePort, index) => `  server node-${index + 1} 127.0.0.1:${nodePort}`);
    await writeFile(file, config.replace(template, servers.join('\n')));
    const { HAPROXY_PATH = 'haproxy', PATH, PASSERBY_TEST_RUN } = process.env;
    const child = spawn(...withoutOrphan(HAPROXY_PATH, ['-db', '-f', file]), {
      env: {
        PATH,
        PASSERBY_TEST_PROCESS: PASSERBY_TEST_RUN,
        ...defaults,
        LISTEN: `127.0.0.1:${port}`,
        ...settings,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr?.on('data', chunk => {
      errors += chunk;
    });
    const balancer = new Balancer(port, child, dir);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`HAProxy ended: ${errors}`);
      // From an address that no test counts: HAProxy may see the end of it late.
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.98' });
      await once(socket, 'connect').finally(() => socket.destroy());
    });
    return balancer;
  }

  /** @throws when the connection is refused or ended without an answer */
  async get(path: string, { from = '127.0.0.1', headers = {}, agent }: Visit = {}): Promise<Answer> {
    const outgoing = request({
      ...{ host: '127.0.0.1', port: this.port, localAddress: from, path, headers },
      agent: agent ?? false,
    }).end();
    const [incoming] = await once(outgoing, 'response');
    let body = '';
    for await (const chunk of incoming) body += chunk;
    return { status: incoming.statusCode, headers: incoming.headers, body };
  }

  /** The statuses of `count` requests, one after the other. */
  async statuses(count: number, path: string, visit?: Visit): Promise<number[]> {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) statuses.push((await this.get(path, visit)).status);
    return statuses;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await exit;
    }
    await rm(this.#dir, { recursive: true, force: true });
  }
}
