import getPort from 'get-port';
import type { Redis } from 'ioredis';
import { PublicAddress, type Upstream } from '../../../apps/cluster/src/public-address.ts';
import { ChatProcess } from '../../support/chat-process.ts';
import { eventually } from '../../support/eventually.ts';
import { RedisPool } from '../../support/redis-pool.ts';

export const adminToken = 'the-token-of-the-browser-tests';

interface Place extends Upstream {
  node: ChatProcess;
  ready: boolean;
}

/** Chat nodes as in production, behind one public address, which leads new connections to the nodes that a test wants. */
export class PageCluster {
  readonly url: string;
  readonly pool: RedisPool;
  readonly #places: Place[];
  readonly #address: PublicAddress;
  readonly #environment: Record<string, string>;
  #redis: Redis | undefined;

  private constructor(
    url: string,
    pool: RedisPool,
    places: Place[],
    address: PublicAddress,
    environment: Record<string, string>,
  ) {
    this.url = url;
    this.pool = pool;
    this.#places = places;
    this.#address = address;
    this.#environment = environment;
  }

  /** @param redisUrl another Redis than that of the run */
  static async start(count: number, environment: Record<string, string> = {}, redisUrl?: string): Promise<PageCluster> {
    const pool = new RedisPool(redisUrl);
    // On a busy machine a node may be slow to renew its lease, which is not what is tried here.
    const settings = { LEASE_MS: '15000', ADMIN_TOKEN: adminToken, TRUST_PROXY: 'loopback', ...environment };
    const nodes = await Promise.all(Array.from({ length: count }, () => ChatProcess.start(pool, settings)));
    const places = nodes.map(node => ({ node, url: node.url, ready: true }));
    const address = new PublicAddress(places);
    const port = await getPort();
    await address.listen(port, '127.0.0.1');
    return new PageCluster(`http://127.0.0.1:${port}`, pool, places, address, settings);
  }

  node(index: number): ChatProcess {
    const place = this.#places[index];
    if (!place) throw new Error(`There is no node ${index}.`);
    return place.node;
  }

  /** New connections go to these nodes only; those that are open stay where they are. */
  leadTo(...indices: number[]): void {
    for (const [index, place] of this.#places.entries()) place.ready = indices.includes(index);
  }

  leadToAll(): void {
    this.leadTo(...this.#places.keys());
  }

  /** Starts nodes in the place of those that have ended, and leads to all again. */
  async restore(): Promise<void> {
    await Promise.all(
      this.#places.map(async place => {
        if (!place.node.ended) return;
        place.node = await ChatProcess.start(this.pool, { ...this.#environment, PORT: new URL(place.url).port });
      }),
    );
    this.leadToAll();
  }

  /** What an operator does: disconnects everyone, or says something to everyone. */
  async admin(method: string, path: string, body?: object): Promise<void> {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const answer = await fetch(`${this.node(0).url}/admin${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}.`);
  }

  /** Waits until nobody is in the queue. A visitor whose window is closed leaves it at once, and could come back. */
  async untilNobodyWaits(): Promise<void> {
    this.#redis ??= await this.pool.connect();
    const redis = this.#redis;
    await eventually(async () => expect(await redis.exists(`${this.pool.prefix}:{${this.pool.pool}}:queue`)).toBe(0));
  }

  async stop(): Promise<void> {
    this.#address.stopAccepting();
    await Promise.all(this.#places.map(({ node }) => node.stop()));
    this.#address.close();
    // Visitors who closed their window could still come back.
    this.#redis ??= await this.pool.connect();
    const redis = this.#redis;
    const keys = await redis.keys(`${this.pool.prefix}:*`);
    if (keys.length > 0) await redis.del(...keys);
    await this.pool.close();
  }
}
