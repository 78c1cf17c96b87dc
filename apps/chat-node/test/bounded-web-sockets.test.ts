import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { boundedWebSockets } from '../src/bounded-web-sockets.ts';
import { ClientAddresses } from '../src/client-address.ts';
import { TokenBuckets } from '../src/token-buckets.ts';

it('reads of a connection no more than one message in a turn of the event loop', async () => {
  const unlimited = { points: Number.POSITIVE_INFINITY, seconds: 1 };
  const packets = { ...unlimited, addresses: new TokenBuckets(unlimited), unitBytes: 1000 };
  const addresses = new ClientAddresses({ trusted: [], secret: 'a secret' });
  const Bounded = boundedWebSockets({ addresses, limits: { packets }, metrics: { refused: () => undefined } });
  const http = createServer();
  const server = new Bounded({ server: http });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const flood = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(flood, 'open')])) as unknown as [[WebSocket]];
  const inTurn: number[] = [];
  let now = 0;
  let heard = 0;
  const all = new Promise<void>(resolve => {
    socket.on('message', () => {
      now += 1;
      heard += 1;
      if (heard === 500) setImmediate(resolve);
      if (now > 1) return;
      setImmediate(() => {
        inTurn.push(now);
        now = 0;
      });
    });
  });
  for (let n = 0; n < 500; n++) flood.send(`message ${n}`);
  await all;
  expect(Math.max(...inTurn)).toBe(1);
  flood.terminate();
  server.close();
  http.close();
  await once(http, 'close');
});
