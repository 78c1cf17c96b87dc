import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChatService, Lease, MemoryChannels, MemoryNodeBus, MemoryOutbox, MemoryPairStore } from '@passerby/core';
import { ChatClient } from '../../../tests/support/chat-client.ts';
import { adminRoutes } from '../src/admin-routes.ts';
import { createHttpApp } from '../src/http-app.ts';
import { Metrics } from '../src/metrics.ts';
import type { PoolSample } from '../src/pool-history.ts';
import type { ChatServer } from '../src/socket-server.ts';
import { createSocketServer } from '../src/socket-server.ts';

const pageFolder = fileURLToPath(new URL('../../web/dist', import.meta.url));
const statusFolder = fileURLToPath(new URL('../../web/status/dist', import.meta.url));
const log = { info: () => undefined, warn: () => undefined };
const adminToken = '0123456789abcdef';

/** A node without sockets, over the in-memory model. */
function newNode() {
  const channels = new MemoryChannels();
  const store = new MemoryPairStore({ channels, outbox: new MemoryOutbox() });
  const metrics = new Metrics();
  const lease = new Lease({ store, leaseMs: 60_000, graceMs: 30_000, log });
  const service = new ChatService({
    store,
    bus: new MemoryNodeBus(channels),
    clients: { emit: () => undefined, closeAll: () => undefined, close: () => undefined, replace: () => undefined },
    lease,
    meter: metrics,
    log,
  });
  const isReady = () => service.ready;
  metrics.observe(service, lease, isReady);
  const load = { overloaded: false };
  return { service, isReady, isOverloaded: () => load.overloaded, load, metrics, pageFolder };
}

let http: Server;
let app: RequestListener;
let url: string;

async function listen(): Promise<void> {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

beforeEach(() => {
  http = createServer((request, response) => app(request, response));
});

describe('a node over plain HTTP', () => {
  let node: ReturnType<typeof newNode>;

  beforeEach(async () => {
    node = newNode();
    app = createHttpApp(node);
    await listen();
  });

  afterEach(async () => {
    await node.service.stop();
    http.closeAllConnections();
    http.close();
  });

  const get = (path: string, options?: RequestInit) => fetch(url + path, options);

  it('is alive, whatever else', async () => {
    const answer = await get('/healthz');
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'alive' }]);
  });

  it('is ready while it can take users', async () => {
    const before = await get('/readyz');
    expect([before.status, await before.json()]).toEqual([503, { status: 'not ready' }]);
    await node.service.start();
    const after = await get('/readyz');
    expect([after.status, await after.json()]).toEqual([200, { status: 'ready' }]);
    node.load.overloaded = true;
    const busy = await get('/readyz');
    expect([busy.status, await busy.json()]).toEqual([503, { status: 'overloaded' }]);
    node.load.overloaded = false;
    await node.service.stop();
    expect((await get('/readyz')).status).toBe(503);
  });

  it('serves the page, with headers that keep it safe and work without TLS', async () => {
    const answer = await get('/');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('<!doctype html>');
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*|upgrade-insecure-requests/);
    expect(answer.headers.get('strict-transport-security')).toBeNull();
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-powered-by')).toBeNull();
  });

  it('lets browsers keep what never changes, ask for the page itself, and take both compressed', async () => {
    const page = await get('/');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const etag = page.headers.get('etag') ?? '';
    expect((await get('/', { headers: { 'if-none-match': etag } })).status).toBe(304);
    const files = [...(await page.text()).matchAll(/(?:src|href)="\.?(\/assets\/[^"]+)"/g)].map(
      ([, path = '']) => path,
    );
    expect(files.map(path => path.split('.').at(-1)).sort()).toEqual(['css', 'js', 'svg']);
    for (const path of ['/', ...files]) {
      for (const encoding of ['br', 'gzip', 'identity']) {
        const answer = await get(path, { headers: { 'accept-encoding': encoding } });
        expect([answer.status, answer.headers.get('content-encoding') ?? 'identity']).toEqual([200, encoding]);
        expect(answer.headers.get('vary')).toContain('Accept-Encoding');
        if (path !== '/') expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
        await answer.arrayBuffer();
      }
    }
  });

  it('serves the page that it began with, whole, when another build has taken its place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'passerby-page-'));
    await cp(pageFolder, folder, { recursive: true });
    app = createHttpApp({ ...node, pageFolder: folder });
    const page = await (await get('/')).text();
    const [, script = ''] = /src="\.?(\/assets\/[^"]+)"/.exec(page) ?? [];
    const code = await (await get(script)).text();
    await rm(join(folder, 'assets'), { recursive: true });
    for (const name of await readdir(folder)) await writeFile(join(folder, name), 'another page');
    expect(await (await get('/')).text()).toBe(page);
    expect(await (await get('/', { headers: { 'accept-encoding': 'identity' } })).text()).toBe(page);
    expect(await (await get(script)).text()).toBe(code);
    await rm(folder, { recursive: true });
  });

  it('sends no body when only the head is asked for, and takes nothing for the page', async () => {
    const [whole, head] = [await get('/'), await get('/', { method: 'HEAD' })];
    for (const name of ['etag', 'content-type', 'content-encoding']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name));
    }
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(await whole.text()).not.toBe('');
    expect((await get('/', { method: 'POST' })).status).toBe(404);
  });

  it('tells its figures', async () => {
    const { service, metrics } = node;
    const figure = async (name: string) => {
      const text = await (await get('/metrics')).text();
      const line = text.split('\n').find(each => each.startsWith(`${name} `));
      return line && Number(line.slice(name.length + 1));
    };
    expect((await get('/metrics')).headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await figure('passerby_ready')).toBe(0);
    expect(await figure('passerby_messages_total{route="remote"}')).toBe(0);

    await service.start();
    for (const userId of ['ann', 'bob', 'cid', 'dan']) service.connect(userId);
    for (const userId of ['ann', 'bob', 'cid']) await service.search(userId);
    await service.send('ann', 'hello');
    metrics.dropped();
    metrics.errorSent('INVALID_MESSAGE');
    metrics.scriptTook('search-partner', 0.002);

    expect(await figure('passerby_ready')).toBe(1);
    expect(await figure('passerby_users{state="paired"}')).toBe(2);
    expect(await figure('passerby_users{state="waiting"}')).toBe(1);
    expect(await figure('passerby_users{state="idle"}')).toBe(1);
    expect(await figure('passerby_sessions')).toBe(1);
    expect(await figure('passerby_matches_total')).toBe(1);
    expect(await figure('passerby_messages_total{route="local"}')).toBe(1);
    expect(await figure('passerby_messages_dropped_total')).toBe(1);
    expect(await figure('passerby_errors_total{code="INVALID_MESSAGE"}')).toBe(1);
    expect(await figure('passerby_script_seconds_count{script="search-partner"}')).toBe(1);
    expect(await figure('passerby_script_seconds_sum{script="search-partner"}')).toBe(0.002);
    expect(await figure('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('has nothing for an operator without a token', async () => {
    const post = { method: 'POST', headers: { authorization: 'Bearer undefined' } };
    expect((await get('/admin/announcements', post)).status).toBe(404);
    for (const path of ['/admin/status', '/status', '/status/', '/status/index.html', '/status.html']) {
      expect((await get(path)).status).toBe(404);
    }
    expect((await get('/admin/users/x', { ...post, method: 'DELETE' })).status).toBe(404);
  });

  it.each(['/nothing', '/../package.json', '/%2e%2e/package.json', '/%', '/%2e%2e%2fpackage.json'])(
    'has nothing at %s',
    async path => {
      expect((await get(path)).status).toBe(404);
    },
  );

  it('answers an error of its own, and shows nothing of it', async () => {
    node.metrics.registry.metrics = () => Promise.reject(new Error('a secret'));
    const answer = await get('/metrics');
    expect([answer.status, await answer.json()]).toEqual([500, { error: 'This could not be answered.' }]);
  });
});

describe('an operator', () => {
  let watch: { read: jest.Mock; samplesSince: (at: number) => PoolSample[] };
  let io: ChatServer;
  let ann: ChatClient;
  let bob: ChatClient;

  beforeEach(async () => {
    io = createSocketServer(http, { allowedOrigins: [] });
    watch = {
      read: jest.fn(async () => ({ nodeId: 'n1', nodes: [] })),
      samplesSince: at => [10, 20].filter(each => each > at) as unknown as PoolSample[],
    };
    app = createHttpApp({
      ...newNode(),
      admin: { routes: adminRoutes({ io, watch, adminToken }), pageFolder: statusFolder },
    });
    await listen();
    io.on('connection', socket => socket.onAny((_event, acknowledge) => acknowledge({ ok: true })));
    [ann, bob] = await Promise.all([ChatClient.connect(url), ChatClient.connect(url, { transports: ['websocket'] })]);
  });

  afterEach(async () => {
    for (const client of [ann, bob]) client.close();
    http.closeAllConnections();
    await io.close();
  });

  /** @returns the status and the answer to a request with the admin token, unless the headers say otherwise */
  async function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
    const given = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json', ...headers };
    const answer = await fetch(`${url}/admin${path}`, { method, headers: given, ...(body !== undefined && { body }) });
    return { status: answer.status, text: await answer.text() };
  }

  it('tells everyone something, cleaned', async () => {
    const body = JSON.stringify({ message: ' We restart\u202e at noon. ' });
    expect(await ask('POST', '/announcements', body)).toEqual({ status: 202, text: '' });
    for (const client of [ann, bob]) {
      expect(await client.next('announcement')).toEqual({ message: 'We restart at noon.', at: expect.any(Number) });
    }
  });

  it('has a page that shows it, with files of its own, which asks for the token by itself', async () => {
    const moved = await fetch(`${url}/status?a=b`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([308, 'status/?a=b']);
    const page = await fetch(`${url}/status/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) expect((await fetch(new URL(file, `${url}/status/`))).status).toBe(200);
    expect(html).not.toContain(adminToken);
    expect((await fetch(`${url}/status/nothing`)).status).toBe(404);
  });

  it('sees how the pool is, and how it was since a moment', async () => {
    const { status, text } = await ask('GET', '/status');
    expect([status, JSON.parse(text)]).toEqual([200, { nodeId: 'n1', nodes: [], samples: [10, 20] }]);
    expect(JSON.parse((await ask('GET', '/status?since=10')).text).samples).toEqual([20]);
    for (const odd of ['x', '', '1&since=2', '%00']) {
      expect(JSON.parse((await ask('GET', `/status?since=${odd}`)).text).samples).toHaveLength(2);
    }
  });

  it('is told that Redis cannot be reached', async () => {
    watch.read.mockRejectedValue(new Error('a secret'));
    expect(await ask('GET', '/status')).toEqual({ status: 503, text: '{"error":"Redis cannot be reached."}' });
  });

  it('disconnects one user and nobody else', async () => {
    const gone = new Promise(resolve => {
      ann.socket.once('disconnect', resolve);
    });
    expect(await ask('DELETE', `/users/${ann.id}`)).toEqual({ status: 202, text: '' });
    await gone;
    expect(await bob.ask('still there?')).toEqual({ ok: true });
    expect(await ask('DELETE', '/users/nobody')).toEqual({ status: 202, text: '' });
  });

  it.each([
    ['no token', { authorization: '' }],
    ['a wrong token', { authorization: 'Bearer 0123456789abcdeF' }],
    ['the start of the token', { authorization: 'Bearer 0123456789abcde' }],
    ['the token in another scheme', { authorization: `Basic ${adminToken}` }],
  ])('is refused with %s, whatever the request', async (_what, headers) => {
    const refused = { status: 401, text: '{"error":"The admin token is missing or wrong."}' };
    expect(await ask('POST', '/announcements', '{"message":"hello"}', headers)).toEqual(refused);
    expect(await ask('POST', '/announcements', 'not json', headers)).toEqual(refused);
    expect(await ask('DELETE', `/users/${ann.id}`, undefined, headers)).toEqual(refused);
    expect(await ask('GET', '/status', undefined, headers)).toEqual(refused);
    expect(watch.read).not.toHaveBeenCalled();
    expect(await ask('GET', '/nothing', undefined, headers)).toEqual(refused);
    expect(await ann.ask('still there?')).toEqual({ ok: true });
    expect(ann.received).toEqual([]);
  });

  it.each([
    ['no message', '{}'],
    ['an empty message', '{"message":" "}'],
    ['a message that is too long', JSON.stringify({ message: 'a'.repeat(501) })],
    ['a message that is not a text', '{"message":{"a":1}}'],
    ['a message in the prototype', '{"__proto__":{"message":"hello"}}'],
    ['a list', '["message"]'],
    ['no body', undefined],
  ])('is told what is wrong with %s', async (_what, body) => {
    expect(await ask('POST', '/announcements', body)).toEqual({
      status: 400,
      text: '{"error":"message must be a text of 1 to 500 characters."}',
    });
  });

  it.each([
    ['a body that is not JSON', 400, 'POST', '/announcements', '{"message":'],
    ['a body that is too large', 413, 'POST', '/announcements', JSON.stringify({ message: 'a'.repeat(9000) })],
    ['a path that cannot be read', 400, 'DELETE', '/users/%', undefined],
  ])('is told what is wrong with %s, and sees nothing of the code', async (_what, status, method, path, body) => {
    const answer = await ask(method, path, body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.any(String) });
    expect(answer.text).not.toMatch(/node_modules/);
    expect(await bob.ask('still there?')).toEqual({ ok: true });
    expect(bob.received).toEqual([]);
  });
});
