import { join } from 'node:path';
import type { ServerProcess } from '@passerby/cluster';
import getPort from 'get-port';
import { baseEnvironment, projectDir } from '../config.ts';
import { launchApp } from '../program.ts';
import type { Random } from '../random.ts';
import { Crowd } from './crowd.ts';
import { NodeGauge } from './node-gauge.ts';

/** Small, so that growth without bound ends the process while somebody looks. */
const nodeArgs = ['--max-old-space-size=256', '--expose-gc', '--import'];
const collectOnSignal = new URL('./collect-on-signal.js', import.meta.url).href;
/** So many people chat from addresses 127.0.0.2 on. */
const bystanders = 16;

export interface StageOptions {
  /** No two stages of a run have the same number. */
  number: number;
  dir: string;
  redisUrl: string;
  random: Random;
  /** Told, in a sentence, what must not happen to anybody honest. */
  harmed: (sentence: string) => void;
}

/** Two chat nodes as production runs them, with limits on, and people who chat from one to the other. */
export class Stage {
  readonly nodes: StageNode[];
  readonly crowd: Crowd;

  private constructor(nodes: StageNode[], crowd: Crowd) {
    this.nodes = nodes;
    this.crowd = crowd;
  }

  /** @throws Error that says what could not be started */
  static async start({ number, dir, redisUrl, random, harmed }: StageOptions): Promise<Stage> {
    const nodes: StageNode[] = [];
    const launch = async (name: string): Promise<void> => {
      const port = await getPort({ host: '127.0.0.1' });
      const url = `http://127.0.0.1:${port}`;
      const env = {
        ...baseEnvironment(),
        ...{ PORT: String(port), HOST: '127.0.0.1', REDIS_URL: redisUrl, REDIS_PREFIX: `hostile${number}` },
        // So that there is something to attack; nobody here knows the token.
        ADMIN_TOKEN: `${crypto.randomUUID()}`,
      };
      const args = [...nodeArgs, collectOnSignal, join(projectDir, 'apps/chat-node/dist/main.js')];
      const logFile = join(dir, `${name}.log`);
      await launchApp({ incarnation: `${name}-of-stage-${number}`, args, env, logFile, url }, process => {
        const node: StageNode = { url, port, process, gauge: new NodeGauge(process.pid ?? 0, url), asked: false };
        nodes.push(node);
        void process.ended.then(({ how }) => node.asked || harmed(`The process of ${name} ${how}.`));
      });
    };
    try {
      // One after the other: the first one is attacked.
      for (const name of ['the attacked node', 'the other node']) await launch(name);
      const urls = nodes.map(({ url }) => url);
      const addressOf = (index: number) => `127.0.0.${2 + index}`;
      const crowd = new Crowd({ name: 'Bystander', urls, size: bystanders, addressOf, random, harmed });
      await crowd.pairUp();
      crowd.chat();
      return new Stage(nodes, crowd);
    } catch (error) {
      await stopAll(nodes);
      throw error;
    }
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** CPU time of all nodes, in ms. */
  cpuMs(): number {
    return this.nodes.reduce((sum, { gauge }) => sum + gauge.cpuMs(), 0);
  }

  async stop(): Promise<void> {
    this.crowd.leave();
    await stopAll(this.nodes);
  }
}

export interface StageNode {
  url: string;
  port: number;
  process: ServerProcess;
  gauge: NodeGauge;
  /** Whether its end is our own doing. */
  asked: boolean;
}

async function stopAll(nodes: StageNode[]): Promise<void> {
  for (const node of nodes) {
    node.asked = true;
    node.gauge.stop();
    node.process.kill();
  }
  await Promise.all(nodes.map(({ process }) => process.ended));
}
