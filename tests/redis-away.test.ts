import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorTexts } from '@passerby/protocol';
import { RedisServer } from '../apps/cluster/src/index.ts';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RedisPool } from './support/redis-pool.ts';

const comeBack = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100 };
const unavailable = {
  ok: false,
  error: { code: 'UNAVAILABLE', message: errorTexts.UNAVAILABLE, retryAfterMs: expect.any(Number) },
};

let dir: string;
let server: RedisServer;
let away = false;
let pool: RedisPool;
let nodes: ChatProcess[] = [];
let clients: ChatClient[] = [];

async function connect(node: number, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', options);
  clients.push(client);
  return client;
}

async function takeAway(): Promise<void> {
  away = true;
  await server.stop();
}

/** On the same port, without its data. */
async function bringBack(): Promise<void> {
  server = await RedisServer.start({ dir, port: server.port });
  away = false;
}

async function expectReady(status: 200 | 503): Promise<void> {
  const statuses = () => Promise.all(nodes.map(node => node.status('/readyz')));
  await eventually(async () => expect(await statuses()).toEqual(nodes.map(() => status)));
}

beforeAll(async () => {
  // A Redis of their own, without persistence, that these tests may stop.
  dir = await mkdtemp(join(tmpdir(), 'passerby-redis-'));
  server = await RedisServer.start({ dir });
});

beforeEach(() => {
  pool = new RedisPool(server.url);
});

afterEach(async () => {
  for (const client of clients) client.close();
  const codes = await Promise.all(nodes.map(node => node.stop()));
  if (away) await bringBack();
  expect(nodes.map(node => node.errors)).toEqual(nodes.map(() => ''));
  expect(codes).toEqual(nodes.map(() => 0));
  nodes = [];
  clients = [];
});

afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('while Redis is away', () => {
  beforeEach(async () => {
    const start = () => ChatProcess.start(pool, { LEASE_MS: '2000' });
    nodes = await Promise.all([start(), start()]);
  });

  it('users of one node keep chatting, all others are told, and then every chat goes on', async () => {
    const [ann, bob] = [await connect(0, comeBack), await connect(0, comeBack)];
    const [cat, dan] = [await connect(0, comeBack), await connect(1, comeBack)];
    await pair(ann, bob);
    await pair(cat, dan);
    await takeAway();
    await expectReady(503);
    expect(await nodes[0]?.status('/healthz')).toBe(200);

    const eve = await connect(1, comeBack);
    expect(await eve.ask('search')).toEqual(unavailable);
    expect(await ann.ask('skip')).toEqual(unavailable);
    expect(await bob.ask('end_chat')).toEqual(unavailable);
    expect(await cat.ask('message', 'lost')).toEqual(unavailable);
    for (const [from, to] of [
      [ann, bob],
      [bob, ann],
    ] as const) {
      expect(await from.ask('message', 'still here')).toMatchObject({ ok: true });
      expect(await to.next('message')).toMatchObject({ message: 'still here' });
    }
    eve.tell('search');
    expect(await eve.next('error')).toBe(errorTexts.UNAVAILABLE);

    // Without its data: the nodes restore what they know, and both chats go on.
    await bringBack();
    await expectReady(200);
    for (const [from, to] of [
      [ann, bob],
      [cat, dan],
      [dan, cat],
    ] as const) {
      await eventually(async () => expect(await from.ask('message', 'found again')).toMatchObject({ ok: true }));
      expect(await to.next('message')).toMatchObject({ message: 'found again' });
    }
    expect(clients.map(client => client.socket.connected)).toEqual(clients.map(() => true));
    expect(await ann.ask('end_chat')).toMatchObject({ ok: true, state: 'idle' });
    expect(await bob.next('partner_left')).toMatchObject({ reason: 'end' });
    expect(await dan.ask('end_chat')).toMatchObject({ ok: true, state: 'idle' });
    expect(await cat.next('partner_left')).toMatchObject({ reason: 'end' });
    await pair(ann, dan);
    expect(await ann.ask('message', 'from node to node')).toMatchObject({ ok: true });
    expect(await dan.next('message')).toMatchObject({ message: 'from node to node' });
    const [fay, gus] = [await connect(0), await connect(1)];
    await pair(fay, gus);
    gus.close();
    expect(await fay.next('partner_left')).toMatchObject({ reason: 'disconnect' });
    expect(nodes.map(node => node.ended)).toEqual([false, false]);
    for (const client of clients) client.close();
    await pool.untilEmpty();
    expect(await Promise.all(nodes.map(node => node.stop()))).toEqual([0, 0]);
    const keys = await pool.keys();
    await pool.close();
    expect(keys).toEqual([]);
  });

  it('a node stops within seconds', async () => {
    const [ann, bob] = [await connect(0), await connect(0)];
    await pair(ann, bob);
    await takeAway();
    await expectReady(503);
    const gone = Promise.all([ann.disconnected(), bob.disconnected()]);
    const startedAt = performance.now();
    expect(await Promise.all(nodes.map(node => node.stop()))).toEqual([0, 0]);
    // A farewell alone would be waited for for 30 s.
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    expect(await gone).toEqual(['transport close', 'transport close']);
  });
});

it('a node can be told to stop while it starts, and leaves nothing', async () => {
  for (let n = 0; n < 3; n++) {
    const node = await ChatProcess.launch(pool);
    expect(await node.stop()).toBe(0);
    expect(node.errors).toBe('');
  }
  const keys = await pool.keys();
  await pool.close();
  expect(keys).toEqual([]);
});

describe('a node that starts while Redis is away', () => {
  beforeEach(takeAway);

  it('is alive but not ready, and can be told to stop at once', async () => {
    nodes = [await ChatProcess.launch(pool)];
    expect(await nodes[0]?.status('/healthz')).toBe(200);
    expect(await nodes[0]?.status('/readyz')).toBe(503);
    expect(await nodes[0]?.stop()).toBe(0);
  });

  it('can be told to stop when nobody reads its log any more', async () => {
    const node = await ChatProcess.launch(pool);
    node.process.stdout?.destroy();
    // A node that hangs would stay for ever: this one is killed, and the test fails.
    const timer = setTimeout(() => node.process.kill('SIGKILL'), 60_000);
    expect(await node.stop()).toBe(0);
    clearTimeout(timer);
  });

  it('takes users as soon as Redis is there', async () => {
    nodes = [await ChatProcess.launch(pool)];
    const early = await connect(0);
    expect(await early.ask('search')).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } });
    await bringBack();
    await expectReady(200);
    await pair(early, await connect(0));
  });
});
