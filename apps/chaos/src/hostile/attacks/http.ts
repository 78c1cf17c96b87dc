import { type Attack, requests } from '../attacker.ts';
import { get, post, times, webSocketUpgrade } from '../frames.ts';

const engine = '/socket.io/?EIO=4&transport=polling';
/** Requests that must not be let in, because of the web page that they come from. */
const foreign =
  (what: string, make: () => string): Attack =>
  attacker =>
    attacker.inParallel(10, async wire => {
      await wire.ask(make());
      const [answer = ''] = await wire.find(/sid\\?"|HTTP\/1.1 (101|[3-5]\d\d)/);
      if (answer.includes('sid') || answer.endsWith('101')) attacker.breaches.add(`The node let in ${what}.`);
    });

const badUrls = [
  '//',
  '%',
  'http://[',
  '/%',
  '/%c0%ae',
  '/..%2f..',
  '/?%',
  '//socket.io//?EIO=4',
  '*',
  '/\\x',
  '/\x00',
];
const methods = ['TRACE', 'PROPFIND', 'M-SEARCH', 'OPTIONS', 'DELETE', 'PUT', 'HEAD', 'BREW', 'CONNECT'];
const wrongUpgrades = [
  get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
  get(engine, 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
  get(
    '/socket.io/?EIO=4&transport=websocket',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\n',
  ),
  webSocketUpgrade('', '/elsewhere'),
  webSocketUpgrade('', '/socket.io/?EIO=4&transport=webtransport'),
  webSocketUpgrade('', '/socket.io/?EIO=4&transport=websocket&sid=__proto__'),
];
const evil = 'Origin: https://evil.example\r\n';

/** Whatever can be asked over HTTP. */
export const httpAttacks: Record<string, Attack> = {
  'http-page': requests(() => get('/')),
  'http-metrics': requests(() => get('/metrics')),
  'http-healthz': requests(() => get('/healthz')),
  'http-readyz': requests(() => get('/readyz')),
  'http-nothing-here': requests(({ random }) => get(`/${random.whole(0, 2 ** 31).toString(36)}.php`)),
  'http-admin': requests(({ random }) => get('/admin/status', `Authorization: Bearer ${random.whole(0, 2 ** 31)}\r\n`)),
  'http-odd-post': requests(({ random }) =>
    post(random.pick(['/', '/admin/announcements', '/metrics', '/x']), Buffer.alloc(10_000, '{'), 'X-A: a\r\n'),
  ),
  'http-huge-headers': requests(({ random }) => get('/', `X-A: ${'a'.repeat(random.pick([15_000, 20_000]))}\r\n`)),
  'http-many-headers': requests(() => get('/', 'A:b\r\n'.repeat(2500))),
  'http-odd-method': requests(({ random }) => get(random.pick(['/', engine]), '', random.pick(methods))),
  'http-bad-url': requests(({ random }) => get(random.pick(badUrls))),
  'http-wrong-upgrade': requests(({ random }) => random.pick(wrongUpgrades)),
  'http-endless-body': attacker =>
    attacker.inParallel(10, async wire => {
      wire.expectsAnswer = true;
      const path = attacker.random.pick(['/', engine, '/admin/announcements']);
      await wire.send(get(path, 'Transfer-Encoding: chunked\r\n', 'POST'));
      while (attacker.goes && (await wire.send(times(100, '4\r\n42[1\r\n'))));
    }),
  'http-expect': requests(() => post(engine, '40', 'Expect: 100-continue\r\n')),
  'http-two-lengths': requests(() => post(engine, '40', 'Content-Length: 7\r\n')),
  'http-jsonp': foreign('a script of another page (JSONP)', () => get(`${engine}&j=0`)),
  'http-foreign-polling': foreign('polling from a foreign origin', () => get(engine, evil)),
  'http-foreign-web-socket': foreign('a WebSocket from a foreign origin', () => webSocketUpgrade(evil)),
  'http-cross-site': foreign('a request that the browser calls cross-site', () =>
    get(engine, 'Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n'),
  ),
  'http-foreign-upgrade': attacker =>
    attacker.inParallel(10, async wire => {
      const sid = await attacker.handshake(wire);
      await wire.ask(webSocketUpgrade(evil, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`));
      const [, status] = await wire.find(/HTTP\/1.1 (\d+)/);
      if (sid && status === '101') attacker.breaches.add('The node let a foreign origin upgrade a session.');
    }),
};
