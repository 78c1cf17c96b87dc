import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { type StormCounts, StormUser } from '../../src/bench/storm-user.ts';

const welcome = { token: 't1', resumed: true, graceMs: 60_000, state: 'paired', session: { sessionId: 's1' } };

let http: ReturnType<typeof createServer>;
let io: Server;
let counts: StormCounts;
let user: StormUser;
/** What the server says to each that connects, one after the other. */
let greetings: object[];
let sockets: Socket[];

beforeEach(async () => {
  [http, counts, greetings, sockets] = [createServer(), { retries: 0, tooLate: 0, violations: [] }, [], []];
  io = new Server(http);
  io.on('connection', socket => {
    sockets.push(socket);
    socket.on('message', (_message, acknowledge) => acknowledge({ ok: true }));
    socket.emit('welcome', greetings.shift());
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  user = new StormUser(counts);
});

afterEach(async () => {
  user.cut();
  await io.close();
});

async function connect(greeting: object): Promise<void> {
  greetings.push(greeting);
  await user.connect((http.address() as AddressInfo).port);
}

/** Cuts the user off, and lets the server greet it so when it comes back. */
async function comeBack(greeting: object): Promise<void> {
  user.stay();
  user.cut();
  await connect(greeting);
}

describe('a user of a storm', () => {
  it.each<[what: string, greeting: object, violations: string[]]>([
    ['is content to be back in the chat', {}, []],
    ['complains of not being known', { resumed: false, session: undefined }, ['A user was not known any more.']],
    ['complains of another chat', { session: { sessionId: 's2' } }, ['A user came back to another chat.']],
    ['complains of no chat', { session: undefined }, ['A chat ended while its users were away.']],
  ])('%s', async (_what, greeting, violations) => {
    await connect(welcome);
    await comeBack({ ...welcome, ...greeting });
    expect(counts).toEqual({ retries: 0, tooLate: 0, violations });
  });

  it('knows that it came later than the server waits', async () => {
    await connect({ ...welcome, graceMs: 0 });
    await comeBack({ ...welcome, resumed: false, session: undefined });
    expect(counts).toEqual({ retries: 0, tooLate: 1, violations: [] });
  });

  it('complains of messages that come twice or are of another chat, and of an end', async () => {
    await connect(welcome);
    user.stay();
    const [socket] = sockets;
    const message = { id: 'm', at: 0, sessionId: 's1', message: 'in s1, attempt 1' };
    socket?.emit('message', message);
    socket?.emit('message', { ...message, message: 'in s1, attempt 2' });
    socket?.emit('message', { ...message, message: 'in s2, attempt 1' });
    socket?.emit('message', message);
    socket?.emit('partner_left', { sessionId: 's1', reason: 'skip' });
    // Its answer comes after all that was sent before.
    await user.say();
    expect(counts.violations).toEqual([
      'A message is of another chat.',
      'A message came twice.',
      'A chat ended: skip.',
    ]);
    expect(user.hasHeard).toBe(true);
  });
});
