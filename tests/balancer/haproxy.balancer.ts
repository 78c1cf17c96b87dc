import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { type Answer, Balancer } from './balancer.ts';
import { StubNode } from './stub-node.ts';

const handshake = '/socket.io/?EIO=4&transport=polling';

let nodes: StubNode[];
let balancer: Balancer;

async function start(settings: Record<string, string> = {}): Promise<void> {
  balancer = await Balancer.start(
    nodes.map(({ port }) => port),
    settings,
  );
}

/** Opens a connection, and answers the path of its requests and the node that has it. */
async function open(from?: string): Promise<{ path: string; node: string }> {
  const { headers, body } = await balancer.get(handshake, from === undefined ? {} : { from });
  return { path: `${handshake}&sid=${headers['passerby-sid']}`, node: JSON.parse(body).node };
}

/** Requests that are never answered; they end with the nodes. */
function hang(count: number, headers: Record<string, string> = {}): void {
  for (let i = 0; i < count; i++) {
    request({ host: '127.0.0.1', port: balancer.port, path: '/stuck', headers, agent: false })
      .on('error', () => {})
      .end();
  }
}

async function untilWaiting(count: number): Promise<void> {
  await eventually(async () => expect(nodes.reduce((sum, { waiting }) => sum + waiting, 0)).toBe(count));
}

function visitor({ body }: Answer): string {
  return JSON.parse(body).visitor;
}

describe('deploy/haproxy.cfg', () => {
  beforeEach(async () => {
    nodes = [await StubNode.start('a'), await StubNode.start('b')];
  });

  afterEach(async () => {
    await balancer.stop();
    await Promise.all(nodes.map(node => node.stop()));
  });

  it('refuses handshakes past the limit of an address, and nothing else', async () => {
    await start({ BALANCER_ADDRESS_HANDSHAKES: '5' });
    const { path } = await open();
    expect(await balancer.statuses(6, handshake)).toEqual([200, 200, 200, 200, 429, 429]);
    const { status, headers, body } = await balancer.get(handshake);
    expect({ status, body }).toEqual({ status: 429, body: expect.stringMatching(/^Too many requests .*\n$/) });
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await balancer.get(path)).status).toBe(200);
    expect((await balancer.get('/')).status).toBe(200);
    expect((await balancer.get(handshake, { from: '127.0.0.2' })).status).toBe(200);
  });

  it('refuses what belongs to a connection last', async () => {
    await start({ BALANCER_ADDRESS_REQUESTS: '10' });
    const agent = new Agent({ keepAlive: true });
    const { path } = await open();
    expect(await balancer.statuses(12, '/', { agent })).toEqual([...Array(9).fill(200), 429, 429, 429]);
    expect((await balancer.get(`${handshake}&sid=made-up`, { agent })).status).toBe(429);
    expect(await balancer.statuses(12, path, { agent })).toEqual([...Array(10).fill(200), 429, 429]);
    expect((await balancer.get('/', { from: '127.0.0.2' })).status).toBe(200);
    agent.destroy();
  });

  it('judges a connection by its own requests: a neighbour behind the same address goes on', async () => {
    await start({ BALANCER_CONNECTION_REQUESTS: '5' });
    const [greedy, neighbour] = [await open(), await open()];
    expect(await balancer.statuses(7, greedy.path)).toEqual([200, 200, 200, 200, 200, 429, 429]);
    expect(await balancer.statuses(5, neighbour.path)).toEqual([200, 200, 200, 200, 200]);
  });

  it('takes only so many connections of an address at once, and so many in ten seconds', async () => {
    await start({ BALANCER_ADDRESS_OPEN: '5', BALANCER_ADDRESS_REQUESTS: '20' });
    hang(5);
    await untilWaiting(5);
    await expect(balancer.get('/')).rejects.toThrow(/hang up|ECONNRESET/);
    expect((await balancer.get('/', { from: '127.0.0.2' })).status).toBe(200);
    // A connection without a request counts, too.
    for (let i = 0; i < 25; i++) connect({ port: balancer.port, localAddress: '127.0.0.3' }).on('error', () => {});
    await eventually(() => expect(balancer.get('/', { from: '127.0.0.3' })).rejects.toThrow(/hang up|ECONNRESET/));
  });

  it('counts requests behind a trusted proxy for each visitor, and an IPv6 network as one', async () => {
    await start({ TRUSTED_PROXIES: '127.0.0.1', BALANCER_ADDRESS_OPEN: '3', BALANCER_ADDRESS_REQUESTS: '8' });
    const via = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    hang(3, via('2001:db8::1').headers);
    await untilWaiting(3);
    expect((await balancer.get('/', via('2001:db8::2'))).status).toBe(429);
    expect((await balancer.get('/', via('2001:db8:0:1::1'))).status).toBe(200);
    expect(await balancer.statuses(9, '/', via('192.0.2.1'))).toEqual([...Array(8).fill(200), 429]);
    expect((await balancer.get('/', via('192.0.2.2'))).status).toBe(200);
  });

  it('counts an IPv4 address inside of an IPv6 one as itself, and not the network that holds them all', async () => {
    await start({ TRUSTED_PROXIES: '127.0.0.1', BALANCER_ADDRESS_REQUESTS: '3' });
    const via = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    expect(await balancer.statuses(2, '/', via('192.0.2.1'))).toEqual([200, 200]);
    expect(await balancer.statuses(2, '/', via('::ffff:192.0.2.1'))).toEqual([200, 429]);
    expect(await balancer.statuses(4, '/', via('::ffff:192.0.2.2'))).toEqual([200, 200, 200, 429]);
    expect(await balancer.statuses(4, '/', via('64:ff9b::192.0.2.1'))).toEqual([200, 200, 200, 429]);
    expect(await balancer.statuses(4, '/', via('64:ff9b::192.0.2.2'))).toEqual([200, 200, 200, 429]);
  });

  it('believes a trusted proxy alone, for each request anew', async () => {
    await start({ TRUSTED_PROXIES: '127.0.0.1' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (address: string, from: string) =>
      balancer.get('/', { from, headers: { 'x-forwarded-for': address }, ...(from === '127.0.0.1' && { agent }) });
    expect(visitor(await ask('6.6.6.6, 192.0.2.1', '127.0.0.1'))).toBe('192.0.2.1');
    expect(visitor(await ask('192.0.2.2', '127.0.0.1'))).toBe('192.0.2.2');
    expect(visitor(await balancer.get('/', { agent }))).toBe('127.0.0.1');
    expect(visitor(await ask('6.6.6.6', '127.0.0.2'))).toBe('127.0.0.2');
    agent.destroy();
  });

  it('leaves the users of a node that is not ready where they are, and brings new ones elsewhere', async () => {
    await start();
    const [first, second] = [await open(), await open()];
    expect(first.node).not.toBe(second.node);
    const busy = nodes.find(({ name }) => name === first.node);
    if (busy) busy.ready = false;
    await eventually(async () => {
      const opened = [await open(), await open(), await open()];
      expect(opened.map(({ node }) => node)).toEqual([second.node, second.node, second.node]);
    });
    expect(JSON.parse((await balancer.get(first.path)).body).node).toBe(first.node);

    for (const node of nodes) node.ready = false;
    await eventually(async () => expect((await balancer.get(handshake)).status).toBe(503));
    const { body, headers } = await balancer.get(handshake);
    expect(body).toMatch(/^No chat node is ready .*\n$/);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    for (const { path, node } of [first, second]) {
      expect(JSON.parse((await balancer.get(path)).body).node).toBe(node);
    }
  });

  it('limits nothing when told so', async () => {
    const none = { BALANCER_ADDRESS_OPEN: '0', BALANCER_ADDRESS_REQUESTS: '0', BALANCER_ADDRESS_HANDSHAKES: '0' };
    await start({ ...none, BALANCER_CONNECTION_REQUESTS: '0', RATE_LIMITS: 'off' });
    const { path } = await open();
    expect(await balancer.statuses(3, path)).toEqual([200, 200, 200]);
  });

  it('speaks no HTTP/2, which would carry a hundred requests over each connection', async () => {
    await start();
    const socket = connect(balancer.port, '127.0.0.1');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('keeps what is for operators from the public', async () => {
    await start();
    for (const path of ['/metrics', '/ADMIN/status', '/%73tatus']) {
      expect((await balancer.get(path)).status).toBe(404);
    }
  });
});
