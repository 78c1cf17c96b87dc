import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { RedisPool } from './support/redis-pool.ts';

const token = 'a token for these tests';

const pool = new RedisPool();
let nodes: ChatProcess[];
let ann: ChatClient;
let bob: ChatClient;

beforeAll(async () => {
  const start = () => ChatProcess.start(pool, { ADMIN_TOKEN: token });
  nodes = await Promise.all([start(), start()]);
});

beforeEach(async () => {
  const [first, second] = nodes;
  ann = await ChatClient.connect(first?.url ?? '');
  bob = await ChatClient.connect(second?.url ?? '', { transports: ['websocket'] });
});

afterEach(async () => {
  for (const client of [ann, bob]) client.close();
  await pool.untilEmpty();
});

afterAll(async () => {
  const codes = await Promise.all(nodes.map(node => node.stop()));
  const keys = await pool.keys();
  await pool.close();
  expect(codes).toEqual([0, 0]);
  expect(keys).toEqual([]);
});

function administer(method: string, path: string, options: { body?: string; authorization?: string } = {}) {
  const { body = null, authorization = `Bearer ${token}` } = options;
  const headers = { authorization, 'content-type': 'application/json' };
  return nodes[0]?.status(`/admin${path}`, { method, headers, body });
}

const announce = (message: unknown) => administer('POST', '/announcements', { body: JSON.stringify({ message }) });

it('announces something to the clients of all nodes', async () => {
  expect(await announce('The chat closes at noon.\u202e ')).toBe(202);
  for (const client of [ann, bob]) {
    expect(await client.next('announcement')).toEqual({ message: 'The chat closes at noon.', at: expect.any(Number) });
  }
});

it('disconnects a user of another node, and its partner is told', async () => {
  const sessionId = await pair(ann, bob);
  const gone = bob.disconnected();
  expect(await administer('DELETE', `/users/${bob.id}`)).toBe(202);
  // This reason tells the client never to come back by itself.
  expect(await gone).toBe('io server disconnect');
  expect(await ann.next('partner_left')).toEqual({ sessionId, reason: 'disconnect' });
  expect(ann.socket.connected).toBe(true);
});

it.each([
  ['a wrong token', 'Bearer wrong'],
  ['no token', ''],
  ['the token alone', token],
])('does nothing for %s', async (_name, authorization) => {
  const body = JSON.stringify({ message: 'not allowed' });
  expect(await administer('POST', '/announcements', { authorization, body })).toBe(401);
  expect(await administer('DELETE', `/users/${bob.id}`, { authorization })).toBe(401);
  // What comes first is what was allowed.
  await announce('allowed');
  for (const client of [ann, bob]) expect(await client.next('announcement')).toMatchObject({ message: 'allowed' });
  expect(bob.socket.connected).toBe(true);
});

it.each([undefined, '', 5, ['x'], 'x'.repeat(501)])('refuses to announce %j', async message => {
  expect(await announce(message)).toBe(400);
  await announce('a text');
  for (const client of [ann, bob]) expect(await client.next('announcement')).toMatchObject({ message: 'a text' });
});

it('is not there without a token', async () => {
  const node = await ChatProcess.start(pool);
  expect(await node.status('/admin/announcements', { method: 'POST' })).toBe(404);
  expect(await node.stop()).toBe(0);
});
