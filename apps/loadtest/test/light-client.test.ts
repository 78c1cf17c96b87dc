import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { ChatClient } from '../../../tests/support/chat-client.ts';
import { ChatProcess } from '../../../tests/support/chat-process.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { type Closed, LightClient, type LightClientOptions } from '../src/light-client.ts';

/** A light client that remembers what it was told. */
class Recorded {
  readonly told: unknown[][] = [];
  readonly client: LightClient;
  #wake: () => void = () => undefined;

  constructor(url: string, options: LightClientOptions = {}) {
    const tell = (...what: unknown[]) => {
      this.told.push(what);
      this.#wake();
    };
    const handlers = {
      connected: (id: string) => tell('connected', id),
      event: (name: string, args: unknown[]) => tell(name, ...args),
      closed: (closed: Closed) => tell('closed', closed),
    };
    this.client = new LightClient(url, handlers, options);
  }

  /** What came with the `count`th event of this name. Waits for it. */
  async next(name: string, count = 1): Promise<unknown> {
    for (;;) {
      const found = this.told.filter(each => each[0] === name)[count - 1];
      if (found) return found[1];
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  ask(event: string, ...args: unknown[]): Promise<unknown> {
    return new Promise(resolve => this.client.ask(event, args, resolve));
  }
}

describe('a light client and any Socket.IO server', () => {
  let io: Server;
  let url: string;
  const clients: LightClient[] = [];
  const connect = (options: LightClientOptions = {}, to = url) => {
    const recorded = new Recorded(to, options);
    clients.push(recorded.client);
    return recorded;
  };

  beforeEach(async () => {
    const http = createServer();
    io = new Server(http, { pingInterval: 30, pingTimeout: 1000 });
    io.on('connection', socket => {
      socket.on('echo', (...args) => args.pop()(...args));
      socket.on('twice', (...args) => {
        socket.emit('again', ...args);
        socket.emit('again', ...args);
      });
      socket.on('auth', answer => answer(socket.handshake.auth));
      socket.on('out', () => socket.disconnect());
      socket.on('silent', () => undefined);
    });
    await once(http.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.cut();
    await io.close();
  });

  it('sends events, and gets events and acknowledgements', async () => {
    const one = connect();
    expect(await one.next('connected')).toBe(one.client.id);
    one.client.emit('twice', 'a "text"\n', { ünicode: [1] });
    await one.next('again', 2);
    expect(one.told.slice(1)).toEqual([
      ['again', 'a "text"\n', { ünicode: [1] }],
      ['again', 'a "text"\n', { ünicode: [1] }],
    ]);
    expect(await Promise.all([one.ask('echo', 1), one.ask('echo', [2])])).toEqual([1, [2]]);
  });

  it('shows what it was given as auth', async () => {
    const one = connect({ auth: { resume: 'x' } });
    await one.next('connected');
    expect(await one.ask('auth')).toEqual({ resume: 'x' });
  });

  it('answers pings, and notices when there are none', async () => {
    const one = connect();
    await one.next('connected');
    const [socket] = [...io.sockets.sockets.values()];
    for (let pongs = 0; pongs < 3; pongs++) {
      await new Promise<void>(resolve => socket?.conn.once('heartbeat', resolve));
    }
    expect(one.client.isConnected).toBe(true);
    // The server stops its pings, and does not close.
    Object.assign(socket?.conn ?? {}, { sendPacket: () => undefined });
    expect(await one.next('closed')).toEqual({ how: 'lost', reason: 'The server sent no ping any more.' });
  });

  it('says why a connection is over', async () => {
    io.use((socket, next) => {
      const refusal = Object.assign(new Error('Too many'), { data: { code: 'X' } });
      next(socket.handshake.auth.refuse ? refusal : undefined);
    });
    const refused = connect({ auth: { refuse: true } });
    expect(await refused.next('closed')).toEqual({ how: 'refused', reason: 'Too many', data: { code: 'X' } });
    const sent = connect();
    await sent.next('connected');
    sent.client.emit('out');
    expect(await sent.next('closed')).toMatchObject({ how: 'left' });
    const lost = connect();
    await lost.next('connected');
    const unanswered = lost.ask('silent');
    io.engine.close();
    expect(await lost.next('closed')).toMatchObject({ how: 'lost' });
    expect(await unanswered).toBeUndefined();
    expect(await lost.ask('echo', 1)).toBeUndefined();
    const nobody = connect({}, 'http://127.0.0.1:1');
    expect(await nobody.next('closed')).toEqual({ how: 'unreachable', reason: 'ECONNREFUSED' });
    const elsewhere = connect({ path: '/elsewhere/', timeoutMs: 100 });
    expect(await elsewhere.next('closed')).toMatchObject({ how: 'unreachable' });
  });

  it('leaves with a word, or is cut off without one', async () => {
    const reasons: string[] = [];
    for (const end of ['close', 'cut'] as const) {
      const one = connect();
      const opened = new Promise<string>(resolve => {
        io.once('connection', socket => socket.once('disconnect', resolve));
      });
      await one.next('connected');
      one.client[end]();
      reasons.push(await opened);
      expect(one.told).toHaveLength(1);
    }
    expect(reasons).toEqual(['client namespace disconnect', 'transport close']);
  });
});

describe('a light client and a chat node', () => {
  let pool: RedisPool;
  let node: ChatProcess;

  beforeEach(async () => {
    pool = new RedisPool();
    node = await ChatProcess.start(pool);
  });

  afterEach(async () => {
    await node.stop();
    await pool.close();
  });

  it('see the same as one of socket.io-client in its place', async () => {
    const light = new Recorded(node.url);
    const usual = await ChatClient.connect(node.url, { transports: ['websocket'] });
    await light.next('connected');
    light.told.length = 0;
    const lights: Side = {
      ask: (event, ...args) => light.ask(event, ...args),
      tell: (event, ...args) => light.client.emit(event, ...args),
      told: () => light.told.splice(0),
    };
    const usuals: Side = {
      ask: (event, ...args) => usual.ask(event, ...args),
      tell: (event, ...args) => usual.tell(event, ...args),
      told: () => usual.received.splice(0).map(({ event, args }) => [event, ...args]),
    };
    const one = await play(lights, usuals);
    const other = await play(usuals, lights);
    expect(one.first).toEqual(other.first);
    expect(one.second).toEqual(other.second);
    expect(one.first).toContainEqual(['message', { id: 'string', message: 'from the second', at: 'number' }]);
    expect(one.second).toContainEqual(['partner_left', { sessionId: 'string', reason: 'skip' }]);
    light.client.close();
    usual.close();
    await pool.untilEmpty();
  });

  it('know each other again after the connection was cut', async () => {
    const first = new Recorded(node.url, { auth: { resume: true } });
    const partner = new Recorded(node.url, { auth: { resume: true } });
    const { token } = (await first.next('welcome')) as { token: string };
    await first.ask('search');
    await partner.next('welcome');
    await partner.ask('search');
    const { sessionId } = (await partner.next('matched')) as { sessionId: string };
    first.client.cut();
    await partner.next('partner_away');
    const again = new Recorded(node.url, { auth: { resume: token } });
    expect(await again.next('welcome')).toMatchObject({ resumed: true, state: 'paired', session: { sessionId } });
    again.client.close();
    partner.client.close();
    await pool.untilEmpty();
  });
});

/** A client of either kind. */
interface Side {
  ask(event: string, ...args: unknown[]): Promise<unknown>;
  tell(event: string, ...args: unknown[]): void;
  /** What came since the last call. */
  told(): unknown[][];
}

/** Two who are idle meet, talk and part. @returns what each of them saw, acknowledgements included */
async function play(first: Side, second: Side): Promise<{ first: unknown[]; second: unknown[] }> {
  const seen: { first: unknown[]; second: unknown[] } = { first: [], second: [] };
  // An answer proves that all that the node sent to this client before has come.
  const barrier = async () => {
    for (const [name, side] of [['first', first] as const, ['second', second] as const]) {
      await side.ask('barrier');
      seen[name].push(...side.told());
    }
  };
  seen.first.push(await first.ask('search', {}));
  seen.second.push(await second.ask('search', {}));
  await barrier();
  seen.first.push(await first.ask('message', { message: 'from the first' }));
  second.tell('message', 'from the second');
  seen.first.push(await first.ask('message', { message: '' }));
  await barrier();
  seen.first.push(await first.ask('skip'));
  await barrier();
  second.tell('message', 'to nobody');
  seen.second.push(await second.ask('search'));
  seen.second.push(await second.ask('end_chat'));
  await barrier();
  await first.ask('end_chat');
  const unlike = /^(id|sessionId|at|startedAt)$/;
  return JSON.parse(JSON.stringify(seen, (key, value) => (unlike.test(key) ? typeof value : value)));
}
