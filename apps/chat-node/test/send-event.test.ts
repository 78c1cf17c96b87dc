import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ChatClient } from '../../../tests/support/chat-client.ts';
import { sendEvent } from '../src/send-event.ts';
import { type ChatServer, createSocketServer } from '../src/socket-server.ts';

let io: ChatServer;
let url: string;

beforeAll(async () => {
  const http = createServer();
  io = createSocketServer(http, { allowedOrigins: [] });
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterAll(() => io.close());

const announce = (message: string) => [message, { message, at: 1 }] as const;
/** What surrounds the text of an announcement in its frame. */
const around = '42["announcement",{"message":"","at":1}]'.length;

describe.each(['websocket', 'polling'] as const)('an event over %s', transport => {
  it.each([
    ['a short one', ...announce('hi')],
    ['one with all that JSON escapes', ...announce('"\\\n\t{}[]')],
    ['one of many alphabets', ...announce('Grüße 你好 🙂 e\u0301')],
    ['the longest with a head of 2 bytes', ...announce('a'.repeat(125 - around))],
    ['the shortest with a head of 4 bytes', ...announce('a'.repeat(126 - around))],
    ['the longest that a message makes', ...announce('€'.repeat(5000))],
    ['one that is larger than any', ...announce('a'.repeat(65_536))],
  ])('arrives as it was sent: %s', async (_which, _message, announcement) => {
    const client = await ChatClient.connect(url, { transports: [transport] });
    const socket = io.sockets.sockets.get(client.id);
    if (socket) sendEvent(socket, 'announcement', announcement);
    expect(await client.next('announcement')).toEqual(announcement);
    client.close();
  });
});

it('events arrive in the order in which they were sent, whichever way', async () => {
  const client = await ChatClient.connect(url, { transports: ['websocket'] });
  const socket = io.sockets.sockets.get(client.id);
  for (let at = 0; at < 100; at += 2) {
    if (socket) sendEvent(socket, 'announcement', { message: 'sent', at });
    socket?.emit('announcement', { message: 'emitted', at: at + 1 });
  }
  for (let at = 0; at < 100; at++) expect(await client.next('announcement')).toMatchObject({ at });
  client.close();
});
