import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { errorTexts } from '@passerby/protocol';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RedisPool } from './support/redis-pool.ts';

const withinMs = 60_000;
const keepBusy = fileURLToPath(new URL('./support/keep-busy.mjs', import.meta.url));
const webSocket = { transports: ['websocket'] };
const pool = new RedisPool();
let node: ChatProcess;
let ann: ChatClient;
let bob: ChatClient;
const others: ChatClient[] = [];

async function connect(options = webSocket): Promise<ChatClient> {
  const client = await ChatClient.connect(node.url, options);
  others.push(client);
  return client;
}

interface Answer {
  response: IncomingMessage;
  body: string;
}

/** One of so many new connections that was put off: more than it takes in a turn of the event loop. Rejects if none was. */
async function putOff(transport: 'polling' | 'websocket'): Promise<Answer> {
  const many = await Promise.all(Array.from({ length: 100 }, () => handshake(transport)));
  const found = many.find(answer => answer?.response.statusCode === 503);
  if (!found) throw new Error('All connections were taken.');
  return found;
}

/** The answer to a new connection; undefined if it is a WebSocket now. */
async function handshake(transport: 'polling' | 'websocket'): Promise<Answer | undefined> {
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const request = get(`${node.url}/socket.io/?EIO=4&transport=${transport}`, {
    agent: false,
    headers: transport === 'websocket' ? upgrade : {},
  });
  const [response, socket] = (await Promise.race([once(request, 'response'), once(request, 'upgrade')])) as [
    IncomingMessage,
    Socket | undefined,
  ];
  if (socket) {
    socket.destroy();
    return undefined;
  }
  let body = '';
  for await (const chunk of response) body += chunk;
  return { response, body };
}

async function readiness(): Promise<unknown> {
  const response = await fetch(`${node.url}/readyz`);
  return [response.status, await response.json()];
}

beforeAll(async () => {
  node = await ChatProcess.start(pool, { NODE_OPTIONS: `--import ${keepBusy}`, LEASE_MS: '60000' });
  [ann, bob] = [await connect(), await connect()];
  await pair(ann, bob);
}, withinMs);

afterAll(async () => {
  for (const client of others) client.close();
  await node.stop();
  await pool.close();
});

it(
  'serves those who are in a chat, and puts off those who are not, until there is less to do',
  async () => {
    const carl = await connect();
    node.process.kill('SIGUSR2');

    for (const transport of ['polling', 'websocket'] as const) {
      // The first ones may still be taken: the node finds out that it cannot.
      const { response, body } = await eventually(() => putOff(transport), withinMs);
      const told = JSON.parse(body);
      expect(told).toEqual({ code: 'BUSY', message: errorTexts.BUSY, retryAfterMs: expect.any(Number) });
      expect(response.headers).toMatchObject({
        'content-type': 'application/json',
        'retry-after': String(Math.ceil(told.retryAfterMs / 1000)),
        connection: 'close',
      });
    }
    await eventually(async () => {
      await putOff('polling');
      expect(await readiness()).toEqual([503, { status: 'overloaded' }]);
    }, withinMs);

    expect(await ann.ask('message', 'Are you still there?')).toMatchObject({ ok: true });
    expect(await bob.next('message')).toMatchObject({ message: 'Are you still there?' });
    expect(await node.metric('passerby_overloaded')).toBe(1);
    expect(await node.metric('passerby_put_off_total{what="connection"}')).toBeGreaterThan(0);

    node.process.kill('SIGUSR2');
    await eventually(async () => expect(await readiness()).toEqual([200, { status: 'ready' }]), withinMs);
    const dora = await connect();
    expect(await dora.ask('search')).toMatchObject({ ok: true });
    expect(await carl.ask('search')).toMatchObject({ ok: true });
    expect([...ann.all('partner_left'), ...bob.all('partner_left')]).toEqual([]);
    expect(node.log.filter(({ msg }) => msg.includes('lease'))).toEqual([]);
  },
  3 * withinMs,
);
