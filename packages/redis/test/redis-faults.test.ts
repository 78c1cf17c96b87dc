import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ChatError } from '@passerby/core';
import type { Redis } from 'ioredis';
import { connectRedis, RedisNodeBus, RedisOutbox, RedisPairStore, whenReady } from '../src/index.ts';
import { type RedisStoreBench, redisStoreBench } from './redis-store-bench.ts';

const log = { info: () => undefined, warn: () => undefined };

/** Stands between a client and Redis, and can lose a reply. */
class LossyLine {
  readonly server: Server;
  readonly #sockets = new Set<Socket>();
  /** The next reply is lost, and the connection with it. */
  loseReply = false;

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
    await store.register('n1', 60_000);
  });

  afterEach(async () => {
    redis.disconnect();
    await line.close();
    await bench.store.releaseLease('n1');
    await bench.store.reap('n1', 100);
    await bench.close();
  });

  it('carries out a command once whose reply was lost, and gives the reply', async () => {
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, sessionId: 's1' });
    line.loseReply = true;
    const changes = await store.search({ userId: 'bob', nodeId: 'n1', requestId: 1, sessionId: 's2' });
    expect(changes).toMatchObject([{ userId: 'bob', state: 'paired', session: { sessionId: 's2' } }]);
    expect(await bench.outbox.read(10, 1)).toHaveLength(1);
  });

  it('says so when it cannot be reached', async () => {
    await line.close();
    const search = store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, sessionId: 's1' });
    await expect(search).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 1000 });
    const bus = new RedisNodeBus(redis, redis, { prefix: bench.pool.prefix, log });
    const change = { userId: 'ann', revision: 1, state: 'idle' } as const;
    await expect(bus.send('n2', { kind: 'change', change })).rejects.toBeInstanceOf(ChatError);
    await expect(bus.listen('n1', () => undefined)).rejects.toBeInstanceOf(ChatError);
  });

  it('loads the scripts again when Redis has forgotten them', async () => {
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, sessionId: 's1' });
    await redis.script('FLUSH');
    const found = await Promise.all([
      store.search({ userId: 'bob', nodeId: 'n1', requestId: 1, sessionId: 's2' }),
      store.search({ userId: 'cat', nodeId: 'n1', requestId: 1, sessionId: 's3' }),
    ]);
    expect(found.map(([change]) => change?.state)).toEqual(['paired', 'waiting']);
  });
});

describe('RedisNodeBus', () => {
  let bench: RedisStoreBench;
  const message = { kind: 'chat', userId: 'ann', sessionId: 's1', message: { id: 'm', message: 'hi', at: 1 } } as const;

  beforeEach(async () => {
    bench = await redisStoreBench();
  });

  afterEach(() => bench.close());

  it('says whether the node was listening', async () => {
    const bus = new RedisNodeBus(await bench.pool.connect(), await bench.pool.connect(), { ...bench.pool, log });
    const received = new Promise(resolve => void bus.listen('n1', resolve).then(() => bus.send('n1', message)));
    expect(await received).toEqual(message);
    expect(await bus.send('n2', message)).toBe(false);
  });

  it('listens as one node at a time', async () => {
    const bus = new RedisNodeBus(await bench.pool.connect(), await bench.pool.connect(), { ...bench.pool, log });
    await bus.listen('n1', () => undefined);
    await bus.listen('n2', () => undefined);
    expect([await bus.send('n1', message), await bus.send('n2', message)]).toEqual([false, true]);
  });

  it('drops what it cannot read, and goes on', async () => {
    const redis = await bench.pool.connect();
    const warnings: string[] = [];
    const loud = { info: () => undefined, warn: (_: object, text: string) => void warnings.push(text) };
    const bus = new RedisNodeBus(redis, await bench.pool.connect(), { ...bench.pool, log: loud });
    const received = new Promise(resolve => {
      void bus.listen('n1', resolve).then(async () => {
        await redis.publish(`${bench.pool.prefix}:node:n1`, 'not JSON');
        await redis.publish(`${bench.pool.prefix}:node:n1`, '{"kind":"change","change":{"state":"x"}}');
        await bus.send('n1', message);
      });
    });
    expect(await received).toEqual(message);
    expect(warnings).toHaveLength(2);
  });
});

describe('RedisOutbox', () => {
  let bench: RedisStoreBench;
  let redis: Redis;
  let outbox: RedisOutbox;
  const add = (...fields: string[]) => redis.xadd(`${bench.pool.prefix}:{lobby}:outbox`, '*', ...fields);
  const session = ['sessionId', 's1', 'userA', 'ann', 'userB', 'bob', 'startedAt', '5'];

  beforeEach(async () => {
    bench = await redisStoreBench();
    redis = await bench.pool.connect();
    outbox = new RedisOutbox(redis, bench.pool.location);
  });

  afterEach(() => bench.close());

  it('gives the oldest entries until they are removed', async () => {
    await add('kind', 'started', ...session);
    await add('kind', 'ended', ...session, 'endedAt', '9', 'endReason', 'skip', 'messages', '');
    const entries = await outbox.read(10, 1);
    const facts = { sessionId: 's1', userA: 'ann', userB: 'bob', startedAt: 5 };
    expect(entries.map(entry => entry.fact)).toEqual([
      { kind: 'started', ...facts },
      { kind: 'ended', ...facts, endedAt: 9, endReason: 'skip', messages: null },
    ]);
    expect(await outbox.read(1, 1)).toEqual(entries.slice(0, 1));
    expect(await outbox.backlog()).toMatchObject({ length: 2 });
    await outbox.remove(entries.slice(0, 1).map(entry => entry.id));
    expect(await outbox.read(10, 1)).toEqual(entries.slice(1));
    await outbox.remove(entries.map(entry => entry.id));
    await outbox.remove([]);
    expect(await outbox.read(10, 1)).toEqual([]);
    expect(await outbox.backlog()).toEqual({ length: 0, oldestAgeMs: 0 });
  });

  it('wakes when an entry comes', async () => {
    const blocked = new RedisOutbox(await bench.pool.connect(), bench.pool.location);
    const read = blocked.read(10, 10_000);
    await add('kind', 'started', ...session);
    expect(await read).toHaveLength(1);
  });

  it.each([
    [['kind', 'started', 'sessionId', 's1'], /has no field userA/],
    [['kind', 'other', ...session], /unknown kind "other"/],
  ])('refuses an entry that it does not understand', async (fields, sentence) => {
    await add(...fields);
    await expect(outbox.read(10, 1)).rejects.toThrow(sentence);
  });
});
