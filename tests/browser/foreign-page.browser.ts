import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { RawWebSocket } from '../support/raw-web-socket.ts';
import { launch } from './support/launch.ts';
import { PageCluster } from './support/page-cluster.ts';

/** What a page in the browser finds at its address. */
const blank = '<!doctype html><title>A page of somebody else</title>';

let browser: Browser;
let cluster: PageCluster;
let server: Server;
let page: Page;

beforeAll(async () => {
  server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(blank));
  server.listen(0, '127.0.0.1');
  [browser, cluster] = await Promise.all([launch(), PageCluster.start(1), once(server, 'listening')]);
  page = await browser.newPage();
  // Another site than 127.0.0.1, on which the cluster is.
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
});

afterAll(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
  await cluster.stop();
});

const at = (query: string) => `${cluster.url}/socket.io/?EIO=4&${query}`;

/** Whether a WebSocket opens from the page. */
const opens = (url: string) =>
  page.evaluate(
    address =>
      new Promise<boolean>(resolve => {
        const socket = new WebSocket(address);
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      }),
    url.replace('http', 'ws'),
  );

/** Whether a script from there runs in the page, as JSONP would. */
const runs = (url: string) =>
  page.evaluate(
    address =>
      new Promise<boolean>(resolve => {
        const heard: unknown[] = [];
        Object.assign(window, { ___eio: [(data: unknown) => heard.push(data)] });
        const script = document.createElement('script');
        script.src = address;
        script.onload = () => resolve(heard.length > 0);
        script.onerror = () => resolve(false);
        document.head.append(script);
      }),
    url,
  );

/** The status that the page may see, or 0 when it may see nothing. */
const asks = (url: string, body?: string) =>
  page.evaluate(
    async ([address, text]) => {
      const options = text === undefined ? {} : { method: 'POST', body: text };
      const answer = await fetch(address ?? '', options).catch(() => undefined);
      return answer?.status ?? 0;
    },
    [url, body],
  );

describe('a page of another site', () => {
  it('opens no connection', async () => {
    expect(await opens(at('transport=websocket'))).toBe(false);
    expect(await runs(at('transport=polling&j=0'))).toBe(false);
    expect(await asks(at('transport=polling'))).toBe(0);
    expect(await cluster.node(0).metric('passerby_refusals_total{reason="origin"}')).toBeGreaterThan(0);
  });

  it('says nothing on the connection of another, even if it knows its id', async () => {
    const handshake = await (await fetch(at('transport=polling'))).text();
    const { sid } = JSON.parse(handshake.slice(1));
    const post = (body: string) => fetch(at(`transport=polling&sid=${sid}`), { method: 'POST', body });
    await post('40');
    await post('42["search"]');
    const partner = await RawWebSocket.join(cluster.node(0).url);
    expect(await partner.ask('search')).toMatchObject({ ok: true, state: 'paired' });

    const spoken = '42["message","from a page of another site"]';
    await asks(at(`transport=polling&sid=${sid}`), spoken);
    await asks(at(`transport=polling&sid=${sid}&j=0`), `d=${encodeURIComponent(spoken)}`);
    expect(await opens(at(`transport=websocket&sid=${sid}`))).toBe(false);
    expect(await runs(at(`transport=polling&sid=${sid}&j=0`))).toBe(false);
    // The connection is still there, and what is said on it comes after all that was said before.
    await post('42["message","its own"]');
    expect(await partner.next('42["message"')).toContain('its own');
    await post('1');
    partner.close();
  });
});
