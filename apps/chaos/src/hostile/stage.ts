import { join } from 'node:path';
import type { ServerProcess } from '@passerby/cluster';
import getPort from 'get-port';
import { baseEnvironment, projectDir } from '../config.ts';
import { launchApp } from '../program.ts';
import type { Random } from '../random.ts';
import { Crowd } from './crowd.ts';
import { NodeGauge } from './node-gauge.ts';

/** The heap is small, so that growth without bound ends the process while somebody looks. */
const nodeArgs = [
  ...['--max-old-space-size=256', '--expose-gc', '--import', new URL('./collect-on-signal.js', import.meta.url).href],
  join(projectDir, 'apps/chat-node/dist/main.js'),
];
/** So many people chat, from the addresses 127.0.0.2 on. */
const bystanders = 16;

export interface StageOptions {
  /** For the logs of the nodes. */
  dir: string;
  redisUrl: string;
  redisPrefix: string;
  random: Random;
  /** Takes sentences about what must not happen, that which led to the others first. */
  harm: string[];
}

export interface StageNode {
  url: string;
  port: number;
  process: ServerProcess;
  gauge: NodeGauge;
}

/** Two chat nodes as production runs them, with limits on, and people who chat from one to the other. */
export class Stage {
  readonly nodes: StageNode[] = [];
  readonly #options: StageOptions;
  #crowd: Crowd | undefined;
  #stopped = false;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /** Begins, and returns when everybody chats. @throws Error that says what could not be started */
  async start(): Promise<void> {
    const { random, harm } = this.#options;
    // One after the other: the first one is attacked.
    for (const name of ['the attacked node', 'the other node']) await this.#launch(name);
    const addressOf = (index: number) => `127.0.0.${2 + index}`;
    this.#crowd = new Crowd({ name: 'Bystander', urls: this.urls, size: bystanders, addressOf, harm });
    await this.#crowd.pairUp();
    this.#crowd.chat(random);
  }

  get crowd(): Crowd {
    if (!this.#crowd) throw new Error('Nobody is there yet.');
    return this.#crowd;
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** CPU time of all nodes, in ms. */
  cpuMs(): number {
    return this.nodes.reduce((sum, { gauge }) => sum + gauge.cpuMs(), 0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#crowd?.leave();
    for (const { gauge, process } of this.nodes) {
      gauge.stop();
      process.kill();
    }
    await Promise.all(this.nodes.map(({ process }) => process.ended));
  }

  async #launch(name: string): Promise<void> {
    const { dir, redisUrl, redisPrefix, harm } = this.#options;
    const port = await getPort({ host: '127.0.0.1' });
    if (this.#stopped) throw new Error('The run was given up.');
    const url = `http://127.0.0.1:${port}`;
    const env = {
      ...baseEnvironment(),
      ...{ PORT: String(port), HOST: '127.0.0.1', REDIS_URL: redisUrl, REDIS_PREFIX: redisPrefix },
      ADMIN_TOKEN: crypto.randomUUID(), // So that there is something to attack; nobody knows it.
    };
    const app = { incarnation: name, args: nodeArgs, env, logFile: join(dir, `${redisPrefix} ${name}.log`), url };
    await launchApp(app, process => {
      this.nodes.push({ url, port, process, gauge: new NodeGauge(process.pid ?? 0, url) });
      void process.ended.then(({ how }) => this.#stopped || harm.unshift(`The process of ${name} ${how}.`));
    });
  }
}
