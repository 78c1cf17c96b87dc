import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { eventually } from '../../../tests/support/eventually.ts';
import { acceptInTurns } from '../src/accept-in-turns.ts';

let http: Server;
let dropped: number;
let refuses: boolean;
/** How many were asked in each turn of the event loop. */
let turns: number[];
const sockets: Socket[] = [];

beforeEach(async () => {
  dropped = 0;
  turns = [];
  let asked = 0;
  http = createServer((_request, response) => {
    asked += 1;
    if (asked > 1) {
      response.end('hello');
      return;
    }
    setImmediate(() => {
      turns.push(asked);
      asked = 0;
    });
    response.end('hello');
  });
  refuses = false;
  acceptInTurns(http, {
    refusedNetwork: () => (refuses ? '192.0.2.0/24' : undefined),
    networkOf: ({ remoteAddress }) => `${remoteAddress}/32`,
    dropped: () => {
      dropped += 1;
    },
  });
  http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(http, 'listening');
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  http.close();
  await once(http, 'close');
});

function open(request = '', localAddress = '127.0.0.1'): Socket {
  const socket = connect({ port: (http.address() as AddressInfo).port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  socket.write(request);
  sockets.push(socket);
  return socket;
}

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

async function answer(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

it('lets all in, and few in one turn of the event loop', async () => {
  const answers = await Promise.all(Array.from({ length: 300 }, () => answer(open(request))));
  expect(answers).toEqual(answers.map(() => expect.stringMatching(/^HTTP\/1.1 200[\s\S]*hello$/)));
  expect(Math.max(...turns)).toBeLessThanOrEqual(32);
  expect(dropped).toBe(0);
});

it('is not kept shut by those who say nothing, or go while they wait', async () => {
  const silent = Array.from({ length: 200 }, () => open());
  await Promise.all(silent.map(socket => once(socket, 'connect')));
  for (const socket of silent.slice(100)) socket.resetAndDestroy();
  expect(await answer(open(request))).toContain('hello');
});

it('ends those who have been silent for the longest time when they are many, and not who has said something', async () => {
  const spoke = open(request.replace('close', 'keep-alive'));
  await once(spoke, 'data');
  const first = open();
  await once(first, 'connect');
  const ended = new Promise(resolve => first.once('close', resolve));
  for (let n = 0; n < 600; n++) await once(open(), 'connect');
  await ended;
  await eventually(() => expect(sockets.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(80));
  expect(dropped).toBe(0);
  expect(sockets.at(-1)?.closed).toBe(false);
  spoke.write(request);
  expect(await answer(spoke)).toContain('hello');
});

it('ends the silent ones of the network that has too many, and not those of its neighbours', async () => {
  const neighbour = open('', '127.0.0.2');
  await once(neighbour, 'connect');
  for (let n = 0; n < 400; n++) await once(open(), 'connect');
  await eventually(() => expect(sockets.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(200));
  neighbour.write(request);
  expect(await answer(neighbour)).toContain('hello');
});

it('ends at once what is not admitted', async () => {
  refuses = true;
  // It is reset, also before the client has seen that it was open.
  await new Promise(resolve => open(request).resume().once('close', resolve));
  refuses = false;
  expect(await answer(open(request))).toContain('hello');
});

it('keeps a connection for more than one request', async () => {
  const socket = open(request.replace('close', 'keep-alive'));
  await once(socket, 'data');
  socket.write(request);
  expect(await answer(socket)).toContain('hello');
});

it('closes those that are too many, and is open again afterwards', async () => {
  const many = Array.from({ length: 2500 }, () => open());
  await eventually(() => expect(dropped).toBeGreaterThan(0));
  for (const socket of many) socket.destroy();
  await eventually(async () => expect(await answer(open(request)).catch(() => '')).toContain('hello'));
});
