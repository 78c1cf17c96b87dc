import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isReady } from '@passerby/cluster';
import getPort from 'get-port';
import { baseEnvironment, projectDir } from './config.ts';
import { FaultProxy } from './fault-proxy.ts';
import { launchApp, Program } from './program.ts';

const checkEveryMs = 500;
const breakLoader = new URL('./break-loader.js', import.meta.url);

export interface ChatNodeOptions {
  name: string;
  redisPort: () => number | undefined;
  settings: Record<string, string>;
  /** The name of the mutation to make in it. */
  broken: string | undefined;
  logFile: (incarnation: string) => string;
  complain: (sentence: string) => void;
}

/** A chat node whose connections to Redis go through a proxy of its own. */
export class ChatNode {
  readonly program: Program;
  /** Between it and Redis. */
  readonly proxy: FaultProxy;
  /** Where it listens now. */
  port = 0;
  /** What a load balancer knows of it. */
  ready = false;
  readonly #closed = new AbortController();

  private constructor(proxy: FaultProxy, options: ChatNodeOptions) {
    this.proxy = proxy;
    const { name, settings, broken, logFile, complain } = options;
    this.program = new Program({
      name,
      complain,
      launch: async (incarnation, started) => {
        this.port = await getPort({ host: '127.0.0.1' });
        const env = {
          ...baseEnvironment(),
          ...settings,
          PORT: String(this.port),
          HOST: '127.0.0.1',
          REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
          RATE_LIMITS: 'off',
        };
        const script = join(projectDir, 'apps/chat-node/dist/main.js');
        const args = broken === undefined ? [script] : ['--import', `${breakLoader.href}?${broken}`, script];
        await launchApp({ incarnation, args, env, logFile: logFile(incarnation), url: this.url }, started);
        this.ready = true;
      },
    });
  }

  static async create(options: ChatNodeOptions): Promise<ChatNode> {
    const proxy = await FaultProxy.listen(options.redisPort);
    const node = new ChatNode(proxy, options);
    void node.#watch();
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  close(): void {
    this.#closed.abort();
    this.proxy.close();
  }

  /** Asks it again and again, as a load balancer does. */
  async #watch(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const port = this.port;
      const ready = port !== 0 && (await isReady(this.url));
      if (port === this.port) this.ready = ready;
      await delay(checkEveryMs, undefined, { signal }).catch(() => {});
    }
  }
}
