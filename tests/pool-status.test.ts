import type { PoolReport } from '../apps/chat-node/src/pool-watch.ts';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RedisPool } from './support/redis-pool.ts';

const adminToken = '0123456789abcdef';
let pool: RedisPool;
let nodes: ChatProcess[];
let clients: ChatClient[];

async function connect(node: number, resume?: true): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', resume ? { auth: { resume } } : {});
  clients.push(client);
  return client;
}

async function status(node: number): Promise<PoolReport> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const answer = await fetch(`${nodes[node]?.url}/admin/status`, { headers });
  expect(answer.status).toBe(200);
  return answer.json() as Promise<PoolReport>;
}

async function startNode(): Promise<ChatProcess> {
  return ChatProcess.start(pool, { LEASE_MS: '1000', DRAIN_MS: '60000', ADMIN_TOKEN: adminToken });
}

beforeAll(async () => {
  pool = new RedisPool();
  clients = [];
  nodes = await Promise.all([startNode(), startNode()]);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await pool.untilEmpty();
});

afterAll(async () => {
  await Promise.all(nodes.map(node => (node.ended ? 0 : node.stop())));
  const keys = await pool.keys();
  const redis = await pool.connect();
  const posted = await redis.hlen(`${pool.prefix}:{lobby}:nodes`);
  await pool.close();
  expect(keys).toEqual([]);
  // Of the one that was killed.
  expect(posted).toBe(1);
});

describe('what the nodes say of themselves', () => {
  it('makes the lobby, of the users of both', async () => {
    const [ann, bob] = [await connect(0, true), await connect(1)];
    await connect(1);
    await ann.next('welcome');
    let lobby = await ann.next('lobby');
    while (lobby.online < 3) lobby = await ann.next('lobby');
    expect(lobby).toEqual({ online: 3, waitMs: null });
    await pair(bob, ann);
    while (lobby.waitMs === null) lobby = await ann.next('lobby');
    expect(lobby.waitMs).toBeGreaterThan(0);
    await bob.barrier();
    expect(bob.received).toEqual([]);
  });

  it('is told by any of them, and to Prometheus', async () => {
    const [ann, bob, cat] = [await connect(0), await connect(1), await connect(0)];
    await pair(ann, bob);
    await ann.ask('message', 'hello');
    await bob.ask('message', 'hello');
    await cat.ask('search');
    await cat.ask('message', 'nobody hears');
    const users = { idle: 0, waiting: 1, paired: 1 };
    const errors = expect.objectContaining({ NOT_IN_CHAT: 1 });
    for (const node of [0, 1]) {
      await eventually(async () => {
        const told = await status(node);
        const said = told.nodes.map(({ last }) => last?.status);
        expect(told.waiting).toBe(1);
        expect(told.outbox.length).toBeGreaterThan(0);
        expect(said).toHaveLength(2);
        expect(said).toContainEqual(expect.objectContaining({ users, errors, messages: 1 }));
        expect(said).toContainEqual(expect.objectContaining({ users: { ...users, waiting: 0 }, messages: 1 }));
      });
    }
    const metrics = await (await fetch(`${nodes[0]?.url}/metrics`)).text();
    expect(metrics).toMatch(/^passerby_pool_nodes 2$/m);
    expect(metrics).toMatch(/^passerby_pool_waiting_users 1$/m);
    expect(metrics).toMatch(/^passerby_pool_recording 0$/m);
  });

  it('goes with a node that is stopped, which says so first, and tells that one is lost that dies', async () => {
    const [stopping, dying] = await Promise.all([startNode(), startNode()]);
    nodes.push(stopping, dying);
    const [ann, bob] = [await connect(2), await connect(0)];
    await pair(ann, bob);
    await eventually(async () => expect((await status(0)).nodes.flatMap(({ last }) => last ?? [])).toHaveLength(4));
    await dying.end('SIGKILL');
    const stopped = stopping.stop();
    await eventually(async () => {
      const drains = (await status(0)).nodes.filter(({ last }) => last?.status.draining);
      expect(drains).toHaveLength(1);
    });
    ann.close();
    await stopped;
    await eventually(async () => expect((await status(0)).nodes).toHaveLength(2));
    const redis = await pool.connect();
    await eventually(async () => {
      const { lost } = await status(0);
      expect(lost).toHaveLength(1);
      expect(lost[0]?.last.status.draining).toBe(false);
      expect(lost[0]?.last.ageMs).toBeGreaterThan(1000);
    });
    // Those that live, and the one that is lost.
    expect(await redis.hlen(`${pool.prefix}:{lobby}:nodes`)).toBe(3);
  });
});
