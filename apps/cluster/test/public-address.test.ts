import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import getPort from 'get-port';
import { eventually } from '../../../tests/support/eventually.ts';
import { PublicAddress } from '../src/public-address.ts';

interface Node {
  url: string;
  ready: boolean;
  server: Server;
  sockets: Socket[];
}

interface Answer {
  status: number;
  body: string;
}

let address: PublicAddress;
let port: number;
let nodes: Node[];
/** Emits `request` with the answer that a node will never give. */
const stuck = new EventEmitter();

/** A node that answers with its number and the headers it was sent, opens sessions, and echoes what is upgraded. */
async function startNode(number: number): Promise<Node> {
  const sockets: Socket[] = [];
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/stuck') return void stuck.emit('request', outgoing);
    if (incoming.url === '/die') return void incoming.socket.destroy();
    if (incoming.url === '/open') outgoing.setHeader('passerby-sid', `session-${number}`);
    outgoing.end(JSON.stringify({ number, url: incoming.url, headers: incoming.headers }));
  });
  server.on('upgrade', (incoming, socket: Socket) => {
    if (incoming.url === '/refuse') return void socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno');
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    socket.write(`node ${number};`);
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ready: true, server, sockets };
}

async function stopNode({ server, sockets }: Node): Promise<void> {
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  if (server.listening) await new Promise(resolve => server.close(resolve));
}

async function get(
  path: string,
  headers: IncomingHttpHeaders = {},
  { host = '127.0.0.1', from }: { host?: string; from?: string } = {},
): Promise<Answer> {
  const outgoing = request({ host, port, path, headers, agent: false, ...(from && { localAddress: from }) }).end();
  const [incoming] = await once(outgoing, 'response');
  let body = '';
  for await (const chunk of incoming) body += chunk;
  return { status: incoming.statusCode, body };
}

async function numberOf(path: string): Promise<number> {
  return JSON.parse((await get(path)).body).number;
}

/** Opens a connection, asks for a WebSocket, and answers it with what was read up to `until`. */
async function upgrade(path: string, until: RegExp): Promise<{ socket: Socket; text: string }> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nx-forwarded-for: 6.6.6.6\r\n\r\n`,
  );
  let text = '';
  while (!until.test(text)) {
    const [chunk] = await once(socket, 'data');
    text += chunk;
  }
  return { socket, text };
}

describe('PublicAddress', () => {
  beforeEach(async () => {
    nodes = await Promise.all([startNode(0), startNode(1), startNode(2)]);
    address = new PublicAddress(nodes);
    port = await getPort();
    await address.listen(port, undefined);
  });

  afterEach(async () => {
    address.close();
    await Promise.all(nodes.map(stopNode));
  });

  it('takes the ready nodes in turn', async () => {
    const numbers = [await numberOf('/'), await numberOf('/'), await numberOf('/'), await numberOf('/')];
    expect(new Set(numbers)).toEqual(new Set([0, 1, 2]));
    expect(numbers[3]).toBe(numbers[0]);
    const [first] = nodes;
    if (first) first.ready = false;
    const others = [await numberOf('/'), await numberOf('/'), await numberOf('/'), await numberOf('/')];
    expect(new Set(others)).toEqual(new Set([1, 2]));
  });

  it('brings what belongs to a session to the node that opened it, while that is ready', async () => {
    const opener = await numberOf('/open');
    for (const path of [1, 2, 3, 4].map(turn => `/socket.io/?EIO=4&sid=session-${opener}&t=${turn}`)) {
      expect(await numberOf(path)).toBe(opener);
    }
    const { socket, text } = await upgrade(`/ws?sid=session-${opener}`, /;/);
    expect(text).toContain(`node ${opener};`);
    socket.destroy();
    const node = nodes[opener];
    if (node) node.ready = false;
    expect(await numberOf(`/?sid=session-${opener}`)).not.toBe(opener);
  });

  it('brings a session that it does not know, or a senseless request, to any node', async () => {
    for (const path of ['/?sid=unknown', '/?sid', '/?sid=%', '/?', '/%%?%%&sid=%E0%A4%A']) {
      expect((await get(path)).status).toBe(200);
    }
  });

  it('keeps what is for operators to the addresses of the nodes', async () => {
    for (const path of ['/metrics', '/admin/status', '/status', '/STATUS/x?y', '/%61dmin', '/status/index.html']) {
      expect((await get(path)).status).toBe(404);
    }
    expect((await get('/?/status')).status).toBe(200);
  });

  it('answers on IPv4 and IPv6', async () => {
    await expect(get('/')).resolves.toMatchObject({ status: 200 });
    const answer = await get('/', {}, { host: '::1' }).catch((error: NodeJS.ErrnoException) => error.code);
    expect(answer).toEqual(typeof answer === 'string' ? 'EADDRNOTAVAIL' : expect.objectContaining({ status: 200 }));
  });

  it('says itself where a client comes from', async () => {
    const claims = {
      'x-forwarded-for': '6.6.6.6, 7.7.7.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'user-agent': 'kept',
    };
    const { headers } = JSON.parse((await get('/', claims)).body);
    expect(headers['x-forwarded-for']).toMatch(/^(::ffff:)?127\.0\.0\.1$/);
    expect(headers['x-forwarded-proto']).toBe('http');
    expect(headers['user-agent']).toBe('kept');
    expect(JSON.stringify(headers)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  it('says so when no node is ready', async () => {
    for (const node of nodes) node.ready = false;
    const answer = await get('/');
    expect(answer).toEqual({ status: 503, body: expect.stringContaining('No chat node is ready') });
    const { text } = await upgrade('/ws', /again/);
    expect(text).toMatch(/^HTTP\/1\.1 503 .*No chat node is ready/s);
  });

  it('survives clients that go away while no node is ready', async () => {
    for (const node of nodes) node.ready = false;
    const problems: Error[] = [];
    const note = (error: Error) => void problems.push(error);
    process.on('uncaughtException', note);
    for (let i = 0; i < 50; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      setImmediate(() => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    expect((await get('/')).status).toBe(503);
    process.off('uncaughtException', note);
    expect(problems).toEqual([]);
  });

  it('survives nodes that are gone or go, and says so', async () => {
    await expect(get('/die')).resolves.toMatchObject({ status: 502 });
    await Promise.all(nodes.map(stopNode));
    await expect(get('/')).resolves.toEqual({ status: 502, body: expect.stringContaining('did not answer') });
    const { text } = await upgrade('/ws', /again/);
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    for (const node of nodes) node.ready = false;
    await expect(get('/')).resolves.toMatchObject({ status: 503 });
  });

  it('carries a WebSocket both ways, and ends it when either side goes', async () => {
    const { socket } = await upgrade('/ws', /node \d;/);
    socket.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe('hello');
    const closed = once(socket, 'close');
    let more = '';
    socket.on('data', chunk => {
      more += chunk;
    });
    for (const node of nodes) for (const each of node.sockets) each.resetAndDestroy();
    await closed;
    expect(more).toBe('');

    const second = await upgrade('/ws', /node \d;/);
    const open = nodes.flatMap(node => node.sockets).filter(each => !each.destroyed);
    expect(open).toHaveLength(1);
    const upstreamClosed = open[0] && once(open[0], 'close');
    second.socket.resetAndDestroy();
    await upstreamClosed;
  });

  it('passes on what a node answers instead of a WebSocket', async () => {
    const { text } = await upgrade('/refuse', /no$/);
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request/);
  });

  it('can stop accepting while what is open goes on, and then end that, too', async () => {
    const { socket } = await upgrade('/ws', /node \d;/);
    address.stopAccepting();
    await expect(get('/')).rejects.toThrow('ECONNREFUSED');
    socket.write('still there');
    expect(String((await once(socket, 'data'))[0])).toBe('still there');
    const closed = once(socket, 'close');
    address.close();
    await closed;
  });

  it('ends the request to a node when its client goes', async () => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/stuck' }).on('error', () => {});
    const arrived = once(stuck, 'request');
    outgoing.end();
    const [answer] = (await arrived) as [ServerResponse];
    const closed = once(answer, 'close');
    outgoing.destroy();
    await closed;
  });

  it('ends the connection to a node when its WebSocket goes, though much waits for it unread', async () => {
    const { socket } = await upgrade('/ws', /node \d;/);
    socket.pause();
    const upstream = nodes.flatMap(node => node.sockets).find(each => !each.destroyed);
    if (!upstream) throw new Error('No node has the WebSocket.');
    const closed = new Promise(resolve => upstream.once('close', resolve));
    const amount = 2 ** 26;
    upstream.write(Buffer.alloc(amount));
    // While the other one does not read, these are carried; so this one has been given what there is room for.
    const { socket: other } = await upgrade('/ws', /node \d;/);
    for (let i = 0; i < 100; i++) {
      other.write('hello');
      await once(other, 'data');
    }
    expect(upstream.writableLength).toBeGreaterThan(amount / 2);
    socket.destroy();
    await closed;
    other.destroy();
  });

  it('takes few requests at once over one connection', async () => {
    let asked = 0;
    stuck.on('request', () => asked++);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(200));
    await once(socket.resume(), 'close');
    expect(asked).toBeLessThan(20);
    expect((await get('/')).status).toBe(200);
  });

  it('ends connections that are slow to ask, or that nobody uses', async () => {
    const slow = connect(port, '127.0.0.1', () => slow.write('GET / HTTP/1.1\r\nhost: x\r\n'));
    const silent = connect(port, '127.0.0.1');
    const unused = connect(port, '127.0.0.1', () => unused.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    const sockets = [slow, silent, unused];
    await Promise.all(
      sockets.map(socket =>
        once(
          socket.resume().on('error', () => {}),
          'close',
        ),
      ),
    );
  });

  it('ends requests that wait for an answer when it is closed', async () => {
    const waiting = get('/stuck');
    const failure = expect(waiting).rejects.toThrow(/hang up|ECONNRESET/);
    while (!nodes.some(node => connections(node.server) > 0)) await new Promise(setImmediate);
    address.close();
    await failure;
  });
});

describe('PublicAddress with a limit', () => {
  it('takes only so many connections of an address at once', async () => {
    nodes = [await startNode(0)];
    address = new PublicAddress(nodes, { mostOfAddress: 2 });
    port = await getPort();
    await address.listen(port, undefined);
    const first = await upgrade('/ws', /node \d;/);
    const second = connect(port, '127.0.0.1');
    await once(second, 'connect');
    await expect(get('/')).rejects.toThrow(/hang up|ECONNRESET/);
    expect((await get('/', {}, { from: '127.0.0.2' })).status).toBe(200);
    first.socket.destroy();
    await eventually(async () => expect((await get('/')).status).toBe(200));
    second.destroy();
    address.close();
    await Promise.all(nodes.map(stopNode));
  });
});

/** How many connections a server has at this moment. */
function connections(server: Server): number {
  return (server as Server & { _connections: number })._connections;
}
