import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  ChatError,
  ChatService,
  Lease,
  MemoryChannels,
  MemoryNodeBus,
  MemoryOutbox,
  MemoryPairStore,
} from '@passerby/core';
import { errorTexts } from '@passerby/protocol';
import { pino } from 'pino';
import { HeldStore } from '../../../packages/core/test/held-store.ts';
import { ChatClient } from '../../../tests/support/chat-client.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { acceptConnections } from '../src/accept-connections.ts';
import { Metrics } from '../src/metrics.ts';
import type { RateLimits } from '../src/rate-limits.ts';
import { SocketClients } from '../src/socket-clients.ts';
import { type ChatServer, createSocketServer } from '../src/socket-server.ts';
import { TokenBuckets } from '../src/token-buckets.ts';

const secret = 'x'.repeat(43);
const log = pino({ level: 'silent' });

let http: Server;
let io: ChatServer;
let service: ChatService;
let store: HeldStore;
let clients: ChatClient[];
/** Who was greeted. */
let greeted: string[];
/** What was counted, in order: the name of the limit and the key. */
let counted: string[][];
/** The limit of new users of an address: what it waits for, and whether it then refuses. */
let newUserLimit: () => Promise<void>;
let resumeLimit: () => void;
/** What a command waits for before it is carried out. */
let turn: () => Promise<void>;
const unlimited = new TokenBuckets({ points: Number.POSITIVE_INFINITY, seconds: 1 });

/** Keeps all commands to the store, as if it did not answer. @returns what lets them go */
function stallStore(): () => void {
  let release = (): void => undefined;
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  store.pace = () => released;
  return release;
}

async function connect(auth: object): Promise<ChatClient> {
  const { port } = http.address() as AddressInfo;
  const client = await ChatClient.connect(`http://127.0.0.1:${port}`, { auth, transports: ['websocket'] });
  clients.push(client);
  return client;
}

beforeEach(async () => {
  counted = [];
  greeted = [];
  clients = [];
  newUserLimit = async () => undefined;
  resumeLimit = () => undefined;
  turn = async () => undefined;
  const channels = new MemoryChannels();
  store = new HeldStore(new MemoryPairStore({ channels, outbox: new MemoryOutbox() }));
  const lease = new Lease({ store, leaseMs: 60_000, graceMs: 30_000, log });
  const metrics = new Metrics();
  http = createServer();
  io = createSocketServer(http, { allowedOrigins: [] });
  const sockets = new SocketClients(io);
  service = new ChatService({
    ...{ store, bus: new MemoryNodeBus(channels), clients: sockets, lease, meter: metrics, log },
    turn: () => turn(),
  });
  const count = async (...what: string[]) => void counted.push(what);
  const limits: RateLimits = {
    message: userId => count('message', userId),
    request: userId => count('request', userId),
    receipt: userId => count('receipt', userId),
    typing: userId => count('typing', userId),
    newUser: async address => {
      await count('new user', address);
      await newUserLimit();
    },
    mayResume: userId => {
      void count('may resume', userId);
      resumeLimit();
    },
    resumed: userId => void count('resumed', userId),
    tcp: () => 0,
    http: () => 0,
    handshake: () => 0,
    open: Number.POSITIVE_INFINITY,
    packets: { points: Number.POSITIVE_INFINITY, seconds: 1, addresses: unlimited, unitBytes: 1000 },
  };
  const greet = (userId: string) => void greeted.push(userId);
  acceptConnections(io, {
    service,
    clients: sockets,
    limits,
    overload: { turn: async () => undefined },
    metrics,
    log,
    addresses: { of: () => 'home' },
    greet,
    maxMessageCharacters: 500,
  });
  await service.start();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
});

afterEach(async () => {
  for (const client of clients) client.close();
  await service.stop();
  await io.close();
});

describe('the events of a connection that has not joined', () => {
  const garbageCollector = (): (() => void) => {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc');
  };

  it('wait if they are few, and are refused at once if they are more', async () => {
    const release = stallStore();
    const client = await connect({ resume: `somebody.${secret}` });
    const early = Array.from({ length: 20 }, (_, n) => client.ask('message', `early ${n}`));
    const refused = await Promise.all(
      ['message', 'received', 'typing', 'search', 'nothing'].map(event => client.ask(event)),
    );
    const error = {
      code: 'TOO_MANY_REQUESTS',
      message: errorTexts.TOO_MANY_REQUESTS,
      retryAfterMs: expect.any(Number),
    };
    expect(refused).toEqual(refused.map(() => ({ ok: false, error })));
    release();
    const replies = await Promise.all(early);
    expect(replies).toEqual(
      replies.map(() => expect.objectContaining({ error: expect.objectContaining({ code: 'NOT_IN_CHAT' }) })),
    );
    expect(await client.ask('search')).toMatchObject({ ok: true, state: 'waiting' });
  });

  it('keep nothing in memory of what the client sent, but what is clean', async () => {
    const collect = garbageCollector();
    const inputs: WeakRef<object>[] = [];
    io.on('connection', socket => socket.onAny((_event, input: object) => inputs.push(new WeakRef(input))));
    const release = stallStore();
    const client = await connect({ resume: `somebody.${secret}`, more: 'x' });
    const events = ['message', 'received', 'typing', 'search', 'x'.repeat(1000)];
    const replies = Array.from({ length: 40 }, (_, n) =>
      client.ask(events[n % events.length] ?? '', { message: 'x'.repeat(10_000) }),
    );
    await replies.at(-1);
    expect(inputs).toHaveLength(40);
    await eventually(async () => {
      await nextTurn();
      collect();
      expect(inputs.filter(input => input.deref() !== undefined)).toEqual([]);
    });
    expect([...io.sockets.sockets.values()].map(({ handshake }) => handshake.auth)).toEqual([{}]);
    release();
    await Promise.all(replies);
  });
});

describe('a search that a busy node puts off', () => {
  it('is told as such, with a time to come back, also to a client that asks for no answer', async () => {
    turn = () => Promise.reject(new ChatError('BUSY'));
    const client = await connect({});
    const error = { code: 'BUSY', message: errorTexts.BUSY, retryAfterMs: 1000 };
    expect(await client.ask('search')).toEqual({ ok: false, error });
    client.socket.emit('search');
    expect(await client.next('error')).toBe(errorTexts.BUSY);
    turn = async () => undefined;
    expect(await client.ask('search')).toMatchObject({ ok: true, state: 'waiting' });
  });
});

describe('connections that show the same user', () => {
  it('wait for one another if they are few, and are sent away if they are more', async () => {
    const first = await connect({ resume: true });
    const { token } = await first.next('welcome');
    // Who never searched is not in the registry, and cannot resume.
    await first.ask('search');
    const release = stallStore();
    const waiting = await Promise.all([1, 2, 3].map(() => connect({ resume: token })));
    await eventually(() => expect(store.calls.filter(call => call === 'resume')).toHaveLength(1));
    const late = await connect({ resume: token });
    const gone = late.disconnected();
    expect(await late.next('error')).toBe(errorTexts.UNAVAILABLE);
    expect(await gone).toBe('transport close');
    // Others are not concerned.
    const other = await connect({ resume: true });
    expect(await other.next('welcome')).toMatchObject({ resumed: false });
    release();
    const welcomes = await Promise.all(waiting.map(client => client.next('welcome')));
    expect(welcomes).toEqual(welcomes.map(() => expect.objectContaining({ resumed: true })));
    // There is room again.
    const again = await connect({ resume: welcomes.at(-1)?.token });
    expect(await again.next('welcome')).toMatchObject({ resumed: true });
  });
});

describe('a client that resumed and says nothing', () => {
  it('makes the token before its present one worthless by answering a ping', async () => {
    io.engine.opts.pingInterval = 50;
    const first = await connect({ resume: true });
    const { token } = await first.next('welcome');
    await first.ask('search');
    const silent = await connect({ resume: token });
    expect(await silent.next('welcome')).toMatchObject({ resumed: true, state: 'waiting' });
    await eventually(() => expect(store.calls).toContain('retireToken'));
    const thief = await connect({ resume: token });
    expect(await thief.next('welcome')).toMatchObject({ resumed: false, state: 'idle' });
    expect(silent.socket.connected).toBe(true);
    expect(silent.all('error')).toEqual([]);
  });
});

describe('the limits of connections', () => {
  it('refuse a new user of an address that has too many, and close the connection', async () => {
    newUserLimit = async () => {
      throw new ChatError('TOO_MANY_CONNECTIONS', { retryAfterMs: 1000 });
    };
    await expect(connect({ resume: true })).rejects.toThrow(errorTexts.TOO_MANY_CONNECTIONS);
    expect(counted).toEqual([['new user', 'home']]);
    await eventually(() => expect(io.engine.clientsCount).toBe(0));
  });

  it('refuse a resume before anything is asked, and close the connection', async () => {
    resumeLimit = () => {
      throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: 1000 });
    };
    await expect(connect({ resume: `somebody.${secret}` })).rejects.toThrow(errorTexts.TOO_MANY_REQUESTS);
    expect(counted).toEqual([['may resume', 'somebody']]);
    expect(store.calls).not.toContain('resume');
    await eventually(() => expect(io.engine.clientsCount).toBe(0));
  });

  it('count a token that is no good for the address, and not for the user whom it names', async () => {
    const client = await connect({ resume: `some-body_1.${secret}` });
    await client.next('welcome');
    expect(counted).toEqual([
      ['may resume', 'some-body_1'],
      ['new user', 'home'],
    ]);
  });

  it('send a new user away again who came with a token that is no good, when there are too many', async () => {
    newUserLimit = async () => {
      throw new ChatError('TOO_MANY_CONNECTIONS', { retryAfterMs: 1000 });
    };
    const client = await connect({ resume: `somebody.${secret}` });
    expect(await client.next('error')).toBe(errorTexts.TOO_MANY_CONNECTIONS);
    await eventually(() => expect([service.present, io.engine.clientsCount]).toEqual([[], 0]));
  });

  it('count a token that is good for its user alone', async () => {
    const first = await connect({ resume: true });
    const { token } = await first.next('welcome');
    await first.ask('search');
    counted = [];
    const second = await connect({ resume: token });
    expect(await second.next('welcome')).toMatchObject({ resumed: true });
    expect(counted).toEqual([
      ['may resume', first.id],
      ['resumed', first.id],
    ]);
  });

  it.each([
    ['the wish for a token', true],
    ['a user id that none is', `some:body.${secret}`],
    ['a user id that is too long', `${'x'.repeat(65)}.${secret}`],
    ['a secret that none is', 'somebody.x'],
    ['no dot', 'somebody'],
    ['nothing', ''],
  ])('count a new user for what is no token: %s', async (_name, resume) => {
    const client = await connect({ resume });
    await client.next('welcome');
    expect(counted).toEqual([['new user', 'home']]);
  });
});
