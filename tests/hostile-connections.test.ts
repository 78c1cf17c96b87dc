import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RawWebSocket } from './support/raw-web-socket.ts';
import { RedisPool } from './support/redis-pool.ts';
import { HandshakeError, unlessBusy } from './support/unless-busy.ts';

const polling = '/socket.io/?EIO=4&transport=polling';
const separator = '\u001e';
const kilobyte = 1024;
const megabyte = 1024 * 1024;

const pool = new RedisPool();
let node: ChatProcess;
/** Chat all the time from another address, and must not notice anything. */
let ann: ChatClient;
let bob: ChatClient;
const opened: { close(): void }[] = [];

/** What a request from an address is answered with; undefined when its connection is closed instead. */
async function ask(
  path: string,
  { body, ...options }: { method?: string; body?: string; headers?: Record<string, string>; from?: string } = {},
): Promise<{ status: number; text: string } | undefined> {
  const { from = '203.0.113.66', headers = {}, method = body === undefined ? 'GET' : 'POST' } = options;
  const agent = new Agent({ keepAlive: false });
  // Not as a URL, which would be tidied up.
  const { hostname, port } = new URL(node.url);
  const sent = request({ hostname, port, path, agent, method, headers: { 'x-forwarded-for': from, ...headers } });
  sent.end(body);
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer) text += chunk;
    return { status: answer.statusCode ?? 0, text };
  } catch {
    return undefined;
  }
}

/** Opens an Engine.IO connection over polling. */
async function open(from?: string): Promise<string> {
  const answer = await unlessBusy(async () => {
    const given = await ask(polling, from === undefined ? {} : { from });
    if (given?.status === 503) throw new HandshakeError(given.status);
    return given;
  });
  return JSON.parse(answer?.text.slice(1) ?? '').sid;
}

async function join(from?: string): Promise<string> {
  const sid = await open(from);
  const options = from === undefined ? {} : { from };
  await ask(`${polling}&sid=${sid}`, { body: '40', ...options });
  await ask(`${polling}&sid=${sid}`, options);
  return sid;
}

/** Whether the node knows a connection no more. */
async function isGone(sid: string): Promise<boolean> {
  return (await ask(`${polling}&sid=${sid}`, { body: '2' }))?.status === 400;
}

const refusals = (reason: string) =>
  node.metric(`passerby_refusals_total{reason="${reason}"}`).then(value => value || 0);

async function joinWebSocket(): Promise<RawWebSocket> {
  const raw = await RawWebSocket.join(node.url);
  opened.push(raw);
  return raw;
}

beforeAll(async () => {
  node = await ChatProcess.start(pool, {
    // What grows without bound ends this process.
    NODE_OPTIONS: '--max-old-space-size=160',
    RATE_LIMITS: 'on',
    TRUST_PROXY: 'loopback',
    ALLOWED_ORIGINS: 'https://chat.example',
  });
});

beforeEach(async () => {
  const from = { extraHeaders: { 'x-forwarded-for': '198.51.100.1' }, transports: ['websocket'] };
  [ann, bob] = [await ChatClient.connect(node.url, from), await ChatClient.connect(node.url, from)];
  await pair(ann, bob);
});

afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  expect(await ann.ask('message', 'still here')).toMatchObject({ ok: true });
  expect(await bob.next('message')).toMatchObject({ message: 'still here' });
  expect([...ann.received, ...bob.received]).toEqual([]);
  for (const client of [ann, bob]) client.close();
  await pool.untilEmpty();
  expect(node.ended).toBe(false);
  expect(await node.status('/readyz')).toBe(200);
  // No lease was lost, nothing failed.
  expect(node.warnings).toEqual([]);
  expect(node.errors).toBe('');
});

afterAll(async () => {
  expect(await node.stop()).toBe(0);
  await pool.close();
});

describe('one POST of many packets', () => {
  const bodyOf = (packet: string, bytes: number) =>
    Array(Math.floor(bytes / (packet.length + 1)))
      .fill(packet)
      .join(separator);

  it.each([
    ['1 kB that joins again and again', '40', kilobyte, 'protocol'],
    ['60 kB that join again and again', '40', 60 * kilobyte, 'packets'],
    ['1 kB that joins unknown namespaces', '40/x', kilobyte, 'protocol'],
    ['60 kB that join unknown namespaces', '40/x', 60 * kilobyte, 'packets'],
    ['1 kB of unknown events', '42[1]', kilobyte, 'protocol'],
    ['60 kB of unknown events', '42[1]', 60 * kilobyte, 'packets'],
    ['60 kB of packets of nothing', '6', 60 * kilobyte, 'packets'],
    ['0.5 kB of pongs', '3', kilobyte / 2, 'protocol'],
    ['60 kB of pongs', '3', 60 * kilobyte, 'packets'],
  ])('closes the connection: %s', async (_what, packet, bytes, reason) => {
    const [sid, before] = [await open(), await refusals(reason)];
    await ask(`${polling}&sid=${sid}`, { body: bodyOf(packet, bytes) });
    await eventually(async () => expect(await isGone(sid)).toBe(true));
    expect(await refusals(reason)).toBe(before + 1);
    // It made one user at the most.
    expect(await node.metric('passerby_users{state="idle"}')).toBe(0);
  });

  it('closes the connection: 60 kB of events after it has joined', async () => {
    const [sid, before] = [await join(), await refusals('packets')];
    await ask(`${polling}&sid=${sid}`, { body: bodyOf('42[1]', 60 * kilobyte) });
    await eventually(async () => expect(await isGone(sid)).toBe(true));
    expect(await refusals('packets')).toBe(before + 1);
  });

  it.each(['40', '40/x', '42[1]'])('is not read when it is larger than 64 kB: %s', async packet => {
    const sid = await join();
    const answer = await ask(`${polling}&sid=${sid}`, { body: bodyOf(packet, megabyte) });
    expect([undefined, 413]).toContain(answer?.status);
    await ask(`${polling}&sid=${sid}`, { body: '1' });
  });
});

describe('a connection', () => {
  it.each([
    ['joins twice', ['40']],
    ['joins another namespace', ['40/admin,']],
    ['joins again by another name', ['40/,']],
    ['speaks to another namespace', ['42/admin,["search"]']],
    ['announces a binary event', ['451-["message",{"_placeholder":true,"num":0}]']],
    ['announces a binary answer', ['461-[{"_placeholder":true,"num":0}]']],
    ['refuses the server', ['44{"message":"x"}']],
    ['answers a ping that did not come', ['3']],
  ])('is closed when it %s', async (_what, packets) => {
    const raw = await joinWebSocket();
    for (const packet of packets) raw.send(packet);
    await raw.closed;
  });

  it('may name the namespace that there is, as some clients do', async () => {
    const raw = await RawWebSocket.open(node.url);
    opened.push(raw);
    raw.send('40/,{}');
    await raw.next('40');
    raw.send('42/,777["barrier"]');
    expect(await raw.next('43777')).toContain('UNKNOWN_EVENT');
  });

  it('is closed when it sends binary data', async () => {
    const raw = await joinWebSocket();
    raw.sendBinary(Buffer.alloc(100));
    await raw.closed;
  });

  it('is closed when it has left', async () => {
    const raw = await joinWebSocket();
    raw.send('41');
    await raw.closed;
  });

  it('is closed when it asks for something before it has joined', async () => {
    const raw = await RawWebSocket.open(node.url);
    raw.send('42["search"]');
    await raw.closed;
  });

  it.each<[string, (raw: RawWebSocket) => void]>([
    ['events', raw => raw.send('42[1]')],
    ['pings of the WebSocket', raw => raw.sendFrame(0x89, Buffer.from('x'))],
    ['pongs of the WebSocket', raw => raw.sendFrame(0x8a, Buffer.from('x'))],
    ['messages of a large size', raw => raw.send(`42["message","${'x'.repeat(60 * kilobyte)}"]`)],
  ])('is closed when it sends %s without end', async (_what, send) => {
    const raw = await joinWebSocket();
    for (let sent = 0; sent < 600 && !raw.isClosed; sent++) send(raw);
    await raw.closed;
  });

  it('is closed when it sends a message in pieces without end', async () => {
    const raw = await joinWebSocket();
    raw.sendFrame(0x01, Buffer.from('4'));
    for (let sent = 0; sent < 200; sent++) raw.sendFrame(0x00, Buffer.from('x'));
    await raw.closed;
  });

  it('is answered for each ping of the WebSocket that an honest client sends', async () => {
    const raw = await joinWebSocket();
    raw.sendFrame(0x89, Buffer.from('are you there?'));
    expect(await raw.ask('barrier')).toMatchObject({ error: { code: 'UNKNOWN_EVENT' } });
    expect(raw.pongs).toEqual(['are you there?']);
  });

  it('that probes for an upgrade without end is closed', async () => {
    const sid = await join();
    const raw = await RawWebSocket.open(node.url, `EIO=4&transport=websocket&sid=${sid}`);
    for (let sent = 0; sent < 600; sent++) raw.send('2probe');
    await raw.closed;
    await ask(`${polling}&sid=${sid}`, { body: '41' });
  });
});

describe('a TCP connection', () => {
  const opening =
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

  /** All that is answered until the connection is closed. */
  async function talk(bytes: string | Buffer): Promise<string> {
    const socket = connectTcp(Number(new URL(node.url).port), '127.0.0.1');
    let text = '';
    socket
      .on('error', () => undefined)
      .on('data', chunk => {
        text += chunk.toString('latin1');
      });
    socket.write(bytes);
    await new Promise(resolve => socket.once('close', resolve));
    return text;
  }

  it('that asks again before it is answered is closed, and what came with it is not looked at', async () => {
    const before = await refusals('pipelined');
    const answers = await talk('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
    expect(answers.split('HTTP/1.1').length - 1).toBeLessThanOrEqual(1);
    // As many as fit into what is read at a time.
    expect((await refusals('pipelined')) - before).toBeLessThan(30);
  });

  it('that expects what nobody knows is counted, and closed when it asks again at once', async () => {
    const before = await refusals('pipelined');
    await talk('GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n'.repeat(100));
    expect(await refusals('pipelined')).toBeGreaterThan(before);
  });

  it.each(['GET http://x/metrics', 'GET //x/metrics', 'GET *'])('that asks for %s is refused', async line => {
    expect(await talk(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 400/);
  });

  it('that asks for a WebSocket elsewhere is answered, and closed though more follows', async () => {
    expect(await talk(`${opening.replace('/socket.io/', '/x')}${key}x`)).toMatch(/^HTTP\/1.1 404/);
  });

  it('that goes on sending behind its answer is closed', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await talk(head + '4\r\n42[1\r\n'.repeat(10_000))).toMatch(/^HTTP\/1.1 404/);
  });

  it('that says nothing, or never ends what it says, is closed', async () => {
    expect(await Promise.all(['', 'GET / HTT', `${opening}X: `].map(talk))).toEqual(Array(3).fill(expect.any(String)));
  });

  it('may send packets right behind its request for a WebSocket', async () => {
    const long = `X-Long: ${'x'.repeat(3000)}\r\n`;
    // A text frame, masked with zeros, that joins.
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, ...Buffer.from('40')]);
    const socket = connectTcp(Number(new URL(node.url).port), '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(opening + long + key), frame]));
    let text = '';
    while (!text.includes('40{"sid"')) text += (await once(socket, 'data'))[0].toString('latin1');
    socket.destroy();
  });
});

describe('a client over polling', () => {
  it('is closed when it answers pings that it has not fetched', async () => {
    const sid = await join();
    await ask(`${polling}&sid=${sid}`, { body: '3' });
    expect(await isGone(sid)).toBe(true);
  });
});

describe('a page of another origin', () => {
  const foreign = { origin: 'https://foreign.example' };

  it.each<[string, Record<string, string>]>([
    ['another origin', foreign],
    ['no origin that is one', { origin: 'null' }],
    ['another port', { origin: 'http://127.0.0.1:1' }],
    ['no origin, as script tags do', { 'sec-fetch-site': 'cross-site' }],
    ['no origin, from a sibling', { 'sec-fetch-site': 'same-site' }],
  ])('cannot open a connection, nor use one: with %s', async (_what, headers) => {
    expect(await ask(polling, { headers })).toMatchObject({ status: 403 });
    const sid = await join();
    expect(await ask(`${polling}&sid=${sid}`, { headers })).toMatchObject({ status: 403 });
    expect(await ask(`${polling}&sid=${sid}`, { headers, body: '42["search"]' })).toMatchObject({ status: 403 });
    for (const query of ['', `&sid=${sid}`]) {
      await expect(openWebSocket(`EIO=4&transport=websocket${query}`, headers)).resolves.toBe(403);
    }
    await ask(`${polling}&sid=${sid}`, { body: '41' });
  });

  it('cannot use JSONP', async () => {
    expect(await ask(`${polling}&j=0`)).toMatchObject({ status: 400 });
    const sid = await join();
    expect(await ask(`${polling}&sid=${sid}&j=0`, { body: 'd=42["search"]' })).toMatchObject({ status: 400 });
    await ask(`${polling}&sid=${sid}`, { body: '41' });
  });

  it.each<[string, Record<string, string>]>([
    ['its own origin', { origin: 'http://chat.test', host: 'chat.test' }],
    ['its own origin, whose port the host names', { origin: 'https://chat.test', host: 'chat.test:443' }],
    ['an allowed origin', { origin: 'https://chat.example', 'sec-fetch-site': 'cross-site' }],
    ['no origin, from its own page', { 'sec-fetch-site': 'same-origin' }],
    ['no origin, as other programs', {}],
  ])('is not one with %s', async (_what, headers) => {
    expect(await ask(polling, { headers })).toMatchObject({ status: 200 });
  });

  it.each(['/socket.io/socket.iox.js', '/socket.io/socket.io.js.map/', '/socket.io/socket.io.js'])(
    'finds no other door at %s',
    async path => {
      expect(await openWebSocket('EIO=4&transport=websocket', foreign, path)).toBe(403);
      const answer = await ask(`${path}?EIO=4&transport=polling`, { headers: foreign });
      expect(answer?.text.includes('"sid"')).toBe(false);
    },
  );

  it.each([
    '/socket.io/..',
    '/socket.io/../',
    '/socket.io/%2e%2e/',
    '/socket.io/#/../',
    '/socket.io/..\\',
    '/x/../socket.io/',
  ])('finds no other door at %s', async path => {
    expect(await ask(`${path}?EIO=4&transport=polling`, { headers: foreign })).toMatchObject({ status: 400 });
    expect(await openWebSocket('EIO=4&transport=websocket', foreign, path)).toBe(400);
  });

  it('can load the client', async () => {
    expect(await ask('/socket.io/socket.io.min.js', { headers: { 'sec-fetch-site': 'cross-site' } })).toMatchObject({
      status: 200,
    });
  });

  async function openWebSocket(
    query: string,
    headers: Record<string, string>,
    path = '/socket.io/',
  ): Promise<number | undefined> {
    const { hostname, port } = new URL(node.url);
    const opening = request({
      ...{ hostname, port, path: `${path}?${query}` },
      headers: {
        ...headers,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      },
    });
    opening.end();
    return new Promise((resolve, reject) => {
      opening.once('response', answer => resolve(answer.resume().statusCode));
      opening.once('upgrade', (_answer, socket) => {
        socket.destroy();
        resolve(101);
      });
      opening.once('error', reject);
    });
  }
});

describe('an address', () => {
  let limited: ChatProcess;

  async function limit(environment: Record<string, string>): Promise<void> {
    limited = await ChatProcess.start(pool, { RATE_LIMITS: 'on', TRUST_PROXY: 'loopback', ...environment });
  }

  const statusFrom = (from: string, path = polling) =>
    limited.status(path, { headers: { 'x-forwarded-for': from, connection: 'close' } });

  afterEach(async () => {
    expect(await limited.stop()).toBe(0);
  });

  it('may have so many connections at a time, and as many again when they are closed', async () => {
    await limit({ LIMIT_ADDRESS_OPEN: '2' });
    const from = { extraHeaders: { 'x-forwarded-for': '203.0.113.1' }, transports: ['websocket'] };
    const [first] = await Promise.all([1, 2].map(() => ChatClient.connect(limited.url, from)));
    expect(await statusFrom('203.0.113.1')).toBe(429);
    expect(await statusFrom('203.0.113.2')).toBe(200);
    first?.close();
    await eventually(async () => expect(await statusFrom('203.0.113.1')).toBe(200));
  });

  it('may open so many in a time, joined or not', async () => {
    await limit({ LIMIT_ADDRESS_HANDSHAKES: '3/60' });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push(await statusFrom('203.0.113.1'));
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    // Nobody gets around that with a query that is read differently elsewhere.
    expect(await statusFrom('203.0.113.9', `${polling}&sid=x&sid=`)).toBe(400);
    expect(await statusFrom('203.0.113.9', `${polling}&sid=`)).toBe(400);
    expect(await statusFrom('203.0.113.2')).toBe(200);
  });

  it('may send so many requests, dear ones count for many', async () => {
    // So long that nothing comes back meanwhile.
    await limit({ LIMIT_ADDRESS_HTTP: '50/3600' });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push(await statusFrom('203.0.113.1', '/metrics'));
    for (let n = 0; n < 11; n++) statuses.push(await statusFrom('203.0.113.1', '/healthz'));
    expect(statuses).toEqual([200, 200, 429, ...Array(10).fill(200), 429]);
    expect(await statusFrom('203.0.113.2', '/healthz')).toBe(200);
  });

  it('is told when to come back', async () => {
    await limit({ LIMIT_ADDRESS_HANDSHAKES: '1/60' });
    await statusFrom('203.0.113.1');
    const refused = await fetch(limited.url + polling, { headers: { 'x-forwarded-for': '203.0.113.1' } });
    const body = (await refused.json()) as { retryAfterMs: number };
    const { retryAfterMs } = body;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(retryAfterMs / 1000)));
    expect(body).toEqual({
      code: 'TOO_MANY_CONNECTIONS',
      message: 'Too many connections from your address',
      retryAfterMs,
    });
  });

  it('of modest clients is not harmed by one that sends too much', async () => {
    await limit({ LIMIT_ADDRESS_PACKETS: '100/60', LIMIT_CONNECTION_PACKETS: '80/60' });
    const [greedy, second, modest] = await Promise.all([1, 2, 3].map(() => RawWebSocket.join(limited.url)));
    for (const raw of [greedy, second]) for (let sent = 0; sent < 90; sent++) raw?.send('42[1]');
    await Promise.all([greedy?.closed, second?.closed]);
    expect(await modest?.ask('barrier')).toMatchObject({ error: { code: 'UNKNOWN_EVENT' } });
    modest?.close();
  });

  it('may have so many TCP connections at a time', async () => {
    await limit({ LIMIT_ADDRESS_OPEN: '2', TRUST_PROXY: '' });
    const sockets = Array.from({ length: 8 }, () => connectTcp(Number(new URL(limited.url).port), '127.0.0.1'));
    let closed = 0;
    for (const socket of sockets) socket.on('error', () => undefined).on('close', () => closed++);
    await eventually(() => expect(closed).toBe(4));
    for (const socket of sockets) socket.destroy();
    await eventually(async () => expect(await limited.status('/healthz')).toBe(200));
  });

  it('of many who come back to their chats is not refused', async () => {
    await limit({ LIMIT_ADDRESS_CONNECTIONS: '4/60' });
    const from = { extraHeaders: { 'x-forwarded-for': '203.0.113.5' }, transports: ['websocket'] };
    const connect = (resume: true | string) => ChatClient.connect(limited.url, { ...from, auth: { resume } });
    const first = await Promise.all([1, 2, 3, 4].map(() => connect(true)));
    await Promise.all(first.map(client => client.ask('search')));
    const tokens = await Promise.all(first.map(async client => (await client.next('welcome')).token));
    for (const round of [1, 2]) {
      const again = await Promise.all(tokens.map(connect));
      for (const [n, client] of again.entries()) {
        const welcome = await client.next('welcome');
        expect([round, welcome.resumed]).toEqual([round, true]);
        tokens[n] = welcome.token;
      }
      if (round === 2) {
        await expect(connect(true)).rejects.toThrow('Too many connections from your address');
        for (const client of again) client.socket.disconnect();
      }
    }
    for (const client of first) client.close();
    // They have said goodbye; a node that is stopped before it has heard that would keep their places.
    const redis = await pool.connect();
    const users = `${pool.prefix}:{${pool.pool}}:users`;
    await eventually(async () => expect((await redis.hkeys(users)).toSorted()).toEqual([ann.id, bob.id].toSorted()));
  });
});
