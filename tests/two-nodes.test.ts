import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { RedisPool } from './support/redis-pool.ts';

const pool = new RedisPool();
let nodes: ChatProcess[];
let clients: ChatClient[] = [];

async function connect(node: number, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', options);
  clients.push(client);
  return client;
}

beforeAll(async () => {
  nodes = await Promise.all([ChatProcess.start(pool), ChatProcess.start(pool)]);
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  expect(await Promise.all(nodes.map(node => node.stop()))).toEqual([0, 0]);
  await pool.connect();
  expect(await pool.keys()).toEqual([]);
  await pool.close();
});

describe('two users on two nodes', () => {
  it('chat with each other', async () => {
    const [ann, bob] = [await connect(0), await connect(1)];
    await pair(ann, bob);
    expect(await ann.ask('message', 'hello')).toMatchObject({ ok: true });
    expect(await bob.next('message')).toMatchObject({ message: 'hello' });
  });
});
