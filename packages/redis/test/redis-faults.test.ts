import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ChatError } from '@passerby/core';
import type { Redis } from 'ioredis';
import { connectRedis, RedisNodeBus, RedisPairStore, whenReady } from '../src/index.ts';
import { type RedisStoreBench, redisStoreBench } from './redis-store-bench.ts';

const log = { info: () => undefined, warn: () => undefined };

/** Stands between a client and Redis, and can lose a reply. */
class LossyLine {
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  /** The next reply is lost, and the connection with it. */
  loseReply = false;
  /** The connections that are open now stay open, but nothing comes through any more. */
  freeze = () => {
    for (const socket of this.#sockets) socket.pause();
  };

  constructor(redisUrl: string) {
    const port = Number(new URL(redisUrl).port);
    this.server = createServer(client => {
      const redis = connect(port, '127.0.0.1');
      for (const [from, to] of [
        [client, redis],
        [redis, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
      }
      client.on('data', data => redis.write(data));
      redis.on('data', data => {
        if (this.loseReply) client.destroy();
        else client.write(data);
        this.loseReply = false;
      });
    });
  }

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

describe('when Redis fails', () => {
  let bench: RedisStoreBench;
  let line: LossyLine;
  let redis: Redis;
  let store: RedisPairStore;

  beforeEach(async () => {
    bench = await redisStoreBench();
    line = new LossyLine(bench.pool.url);
    redis = connectRedis({ url: await line.listen(), role: 'test', log, commandTimeoutMs: 2000 });
    await whenReady(redis, 5000);
    store = new RedisPairStore(redis, bench.pool.location);
    await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
  });

  afterEach(async () => {
    redis.disconnect();
    await line.close();
    await bench.store.releaseLease('n1');
    await bench.store.reap({ nodeId: 'n1', limit: 100, graceMs: 0 });
    await bench.close();
  });

  it('carries out a command once whose reply was lost, and gives the reply', async () => {
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
    line.loseReply = true;
    const repeated = jest.fn();
    const bob = { userId: 'bob', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's2', repeated };
    const changes = await store.search(bob);
    // Or whoever forgets the user would not know that the first one may still be on its way.
    expect(repeated).toHaveBeenCalled();
    expect(changes).toMatchObject([{ userId: 'bob', state: 'paired', session: { sessionId: 's2' } }]);
    expect(await bench.outbox.read(10, 1)).toHaveLength(1);
  });

  it('names another session when it gives a search again: a failover may have lost the first one, of which its users know', async () => {
    const searches = jest.spyOn(redis, 'searchPartner');
    line.loseReply = true;
    await store.search({ userId: 'bob', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's2' });
    const named = searches.mock.calls.map(args => args.includes('s2'));
    expect(named.length).toBeGreaterThan(1);
    expect(named.indexOf(true)).toBe(0);
    expect(named.lastIndexOf(true)).toBe(0);
  });

  it('finds out that a connection is dead though it is open, and makes another one', async () => {
    const subscriber = connectRedis({ url: `redis://127.0.0.1:${redis.options.port}`, role: 'test', log });
    await whenReady(subscriber, 5000);
    // Not `once` of node:events, which would reject with the error that the dead connection ends with.
    const again = [redis, subscriber].map(
      connection => new Promise<void>(resolve => connection.once('ready', resolve)),
    );
    line.freeze();
    await Promise.all(again);
    const changes = await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
    expect(changes).toMatchObject([{ state: 'waiting' }]);
    subscriber.disconnect();
  });

  it('says so when it cannot be reached', async () => {
    await line.close();
    const search = store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
    await expect(search).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 1000 });
    const bus = new RedisNodeBus(redis, redis, { prefix: bench.pool.prefix, log });
    const message = { id: 'm', message: 'hi', at: 1 };
    await expect(bus.send('n2', { kind: 'chat', userId: 'ann', sessionId: 's1', message })).rejects.toBeInstanceOf(
      ChatError,
    );
    const listener = { receive: () => undefined, missed: () => undefined };
    await expect(bus.listen('n1', listener)).rejects.toBeInstanceOf(ChatError);
  });

  it('refuses a renewal that comes too late, and takes a clock of Redis that was set for what it is', async () => {
    const lease = { nodeId: 'n1', leaseMs: 50_000 };
    const lapsesAt = () => redis.zscore(`${bench.pool.prefix}:{lobby}:leases`, 'n1');
    const before = await lapsesAt();
    const earlier = performance.now() - 5000;
    const clock = jest.spyOn(performance, 'now').mockReturnValue(earlier);
    await expect(store.renewLease(lease)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: expect.objectContaining({ message: expect.stringMatching(/^LATE /) }),
    });
    expect(await lapsesAt()).toBe(before);
    await store.renewLease(lease);
    expect(await lapsesAt()).not.toBe(before);
    await store.renewLease(lease);
    clock.mockRestore();
  });

  it('loads the scripts again when Redis has forgotten them', async () => {
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's1' });
    await redis.script('FLUSH');
    const found = await Promise.all([
      store.search({ userId: 'bob', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's2' }),
      store.search({ userId: 'cat', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's3' }),
    ]);
    expect(found.map(([change]) => change?.state)).toEqual(['paired', 'waiting']);
  });
});
