import type { Browser, BrowserContextOptions } from 'playwright-core';
import { launch } from './launch.ts';
import { PageCluster } from './page-cluster.ts';
import { PausableRedis } from './pausable-redis.ts';
import { Visitor } from './visitor.ts';

export interface StageOptions {
  nodes: number;
  environment?: Record<string, string>;
  /** With a Redis that can be paused, and not that of the run. */
  ownRedis?: boolean;
}

/** A cluster and a browser for the tests of a file, and visitors who leave after each test. */
export class Stage {
  readonly #nodes: number;
  #browser: Browser | undefined;
  #cluster: PageCluster | undefined;
  #redis: PausableRedis | undefined;
  #visitors: Visitor[] = [];

  /** To be made outside of the tests: it sets up, and cleans up, by itself. A test fails if a page complained of something. */
  constructor({ nodes, environment = {}, ownRedis = false }: StageOptions) {
    this.#nodes = nodes;
    beforeAll(async () => {
      if (ownRedis) this.#redis = await PausableRedis.start();
      [this.#browser, this.#cluster] = await Promise.all([
        launch(),
        PageCluster.start(nodes, environment, this.#redis?.url),
      ]);
    });
    afterAll(async () => {
      await this.#browser?.close();
      await this.#cluster?.stop();
      await this.#redis?.stop();
    });
    afterEach(async () => {
      const visitors = this.#visitors.splice(0);
      const problems = visitors.flatMap(visitor => visitor.problems);
      await Promise.all(visitors.map(visitor => visitor.leave()));
      await this.cluster.restore();
      await this.cluster.untilNobodyWaits();
      expect(problems).toEqual([]);
    });
  }

  get cluster(): PageCluster {
    if (!this.#cluster) throw new Error('The cluster has not started yet.');
    return this.#cluster;
  }

  get redis(): PausableRedis {
    if (!this.#redis) throw new Error('This stage has no Redis of its own.');
    return this.#redis;
  }

  async arrive(options?: BrowserContextOptions): Promise<Visitor> {
    if (!this.#browser) throw new Error('The browser has not started yet.');
    const visitor = await Visitor.arrive(this.#browser, this.cluster.url, options);
    this.#visitors.push(visitor);
    return visitor;
  }

  /** Someone new, whose connection leads to this node. */
  async arriveAt(node: number, options?: BrowserContextOptions): Promise<Visitor> {
    this.cluster.leadTo(node);
    const visitor = await this.arrive(options);
    await visitor.connected();
    return visitor;
  }

  /** Two visitors in a chat with each other, each on a node of their own if there are two. */
  async pair(options?: BrowserContextOptions): Promise<[Visitor, Visitor]> {
    const first = await this.arriveAt(0, options);
    await first.search();
    await first.phase('searching');
    const second = await this.arriveAt(Math.min(1, this.#nodes - 1), options);
    await second.search();
    await Promise.all([first.phase('chatting'), second.phase('chatting')]);
    this.cluster.leadToAll();
    return [first, second];
  }
}
