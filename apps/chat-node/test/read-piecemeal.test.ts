import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { readPiecemeal, takeUnread } from '../src/read-piecemeal.ts';

const head = Buffer.from('what the server found');
const request = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(50_000)}`;
let http: Server;
let client: Socket;

/** What the server has of a connection, on which it gets a long request and does this with it. */
async function serve(answer: (socket: Socket) => void): Promise<Socket> {
  http = createServer((incoming, outgoing) => {
    answer(incoming.socket);
    incoming.resume().on('end', () => outgoing.end('hello'));
  });
  http.on('connection', readPiecemeal);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  client = connect((http.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined).write(request);
  const [socket] = (await once(http, 'connection')) as [Socket];
  return socket;
}

afterEach(async () => {
  client.destroy();
  http.close();
  await once(http, 'close');
});

describe('reading piecemeal', () => {
  it('keeps nothing of a request that was read, though the connection stays', async () => {
    const socket = await serve(() => undefined);
    await once(client, 'data');
    expect(socket.destroyed).toBe(false);
    expect(takeUnread(socket, head)).toBe(head);
  });

  it('keeps nothing of a request that ended its connection, though somebody keeps that', async () => {
    const socket = await serve(it => it.destroy());
    if (!socket.closed) await once(socket, 'close');
    expect(takeUnread(socket, head)).toBe(head);
  });
});
