import { EventEmitter, once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { Crowd } from '../src/hostile/crowd.ts';
import { seededRandom } from '../src/random.ts';

type Acknowledge = (reply: object) => void;

let http: HttpServer;
let io: Server;
let crowd: Crowd;
let harm: string[];
let sockets: Socket[];
let said: EventEmitter;

/**
 * A server that pairs two, and does this with what one says to the other.
 * @param refusals what it answers the first handshakes with
 */
async function start(
  relay: (to: Socket, message: string, from: Socket) => void,
  refusals: number[] = [],
): Promise<void> {
  http = createServer();
  io = new Server(http);
  const [upgrade] = http.listeners('upgrade');
  http.removeAllListeners('upgrade').on('upgrade', (request: IncomingMessage, socket: TcpSocket, head: Buffer) => {
    const status = refusals.shift();
    if (status === undefined) upgrade?.call(http, request, socket, head);
    else socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  sockets = [];
  said = new EventEmitter();
  io.on('connection', socket => {
    const index = sockets.push(socket) - 1;
    socket.on('search', (_options: object, acknowledge: Acknowledge) => {
      acknowledge({ ok: true });
      if (sockets.length === 2) io.emit('matched', { sessionId: 's1', startedAt: 0 });
    });
    socket.on('message', ({ message }: { message: string }, acknowledge: Acknowledge) => {
      acknowledge({ ok: true });
      relay(sockets[1 - index] as Socket, message, socket);
      said.emit('message');
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const urls = [`http://127.0.0.1:${(http.address() as AddressInfo).port}`];
  harm = [];
  crowd = new Crowd({ name: 'Person', urls, size: 2, addressOf: index => `127.0.0.${2 + index}`, harm });
  await crowd.pairUp();
}

/** Lets them chat until each has said something so often. */
async function chat(times: number): Promise<void> {
  crowd.chat(seededRandom(1));
  for (let n = 0; n < 2 * times; n++) await once(said, 'message');
  crowd.rest();
}

afterEach(async () => {
  crowd.leave();
  await io.close();
});

describe('the bystanders of an attack', () => {
  it('find nothing wrong when all is well', async () => {
    await start((to, message) => to.emit('message', { message }));
    await chat(3);
    await crowd.heard();
    expect(harm).toEqual([]);
    expect(crowd.takeLatencies().length).toBeGreaterThanOrEqual(6);
    expect(crowd.bytesSent()).toBeGreaterThan(6 * 80);
    expect(sockets.map(socket => socket.handshake.address.replace('::ffff:', '')).sort()).toEqual([
      '127.0.0.2',
      '127.0.0.3',
    ]);
  });

  it('come back when the server is too busy to let them in, and only then', async () => {
    await start(() => undefined, [503, 503, 503]);
    expect(harm).toEqual([]);
    crowd.leave();
    await io.close();
    await expect(start(() => undefined, [429])).rejects.toThrow('websocket error');
  });

  it('notice when a message does not come', async () => {
    await start(() => undefined);
    await chat(1);
    await crowd.heard(10);
    expect(harm[0]).toMatch(/^Person \d \(websocket\) was not shown all that Person \d \(websocket\) said\.$/);
    expect(harm).toHaveLength(2);
  });

  it.each<[string, (to: Socket, message: string, from: Socket) => void, RegExp]>([
    [
      'comes twice',
      (to, message) => {
        for (let n = 0; n < 2; n++) to.emit('message', { message });
      },
      /^Person . \(\w+\) was shown .* as number 2 /,
    ],
    [
      'belongs to another chat',
      (to, message) => to.emit('message', { message: message.replace('s1', 's2') }),
      / was shown "s2 .* as number 1 in s1\.$/,
    ],
    ['is an error', to => to.emit('error', 'No', { code: 'UNAVAILABLE' }), / got the error UNAVAILABLE \(No\)\.$/],
    [
      'ends the chat',
      to => to.emit('partner_left', { reason: 'timeout' }),
      / was told that the partner left \(timeout\)\.$/,
    ],
    ['ends the connection', to => to.conn.close(), / lost the connection \(transport close\)\.$/],
  ])('notice when a message %s', async (_what, relay, sentence) => {
    await start(relay);
    crowd.chat(seededRandom(1));
    while (harm.length === 0) await new Promise(setImmediate);
    expect(harm[0]).toMatch(sentence);
  });
});
