import { setTimeout as delay } from 'node:timers/promises';
import { errorTexts, parseCommand } from '@passerby/protocol';
import fc from 'fast-check';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { pollingSid } from './support/polling-sid.ts';
import { RawWebSocket } from './support/raw-web-socket.ts';
import { RedisPool } from './support/redis-pool.ts';

const webSocket = { transports: ['websocket'] };
const maxPacketBytes = 64 * 1024;
const megabyte = 1024 * 1024;
const adminToken = 'the token of an operator';

/** Two people who chat all the time from node to node, and must not notice anything of what others do. */
class Bystanders {
  #stopped = false;
  #sent = 0;
  readonly #ann: ChatClient;
  readonly #bob: ChatClient;
  readonly #talking: Promise<void>;
  #ignored: string | undefined;

  private constructor(ann: ChatClient, bob: ChatClient) {
    this.#ann = ann;
    this.#bob = bob;
    this.#talking = this.#talk();
  }

  static async start(first: string, second: string): Promise<Bystanders> {
    const [ann, bob] = [await ChatClient.connect(first, webSocket), await ChatClient.connect(second, webSocket)];
    await pair(ann, bob);
    return new Bystanders(ann, bob);
  }

  /** Stops them and checks that each got all that the other said, in order, and nothing else. */
  async check(): Promise<void> {
    this.#stopped = true;
    await this.#talking;
    expect(this.#sent).toBeGreaterThan(0);
    const said = Array.from({ length: this.#sent }, (_, n) => `line ${n}`);
    for (const client of [this.#ann, this.#bob]) {
      await eventually(() => expect(client.all('message').length).toBeGreaterThanOrEqual(said.length));
      expect(client.all('message').map(({ message }) => message)).toEqual(said);
      expect(client.received.filter(({ event }) => event !== this.#ignored)).toHaveLength(said.length);
      expect(client.socket.connected).toBe(true);
    }
    for (const client of [this.#ann, this.#bob]) client.close();
  }

  /** They get more of this event, which is not checked. */
  ignore(event: string): void {
    this.#ignored = event;
  }

  async #talk(): Promise<void> {
    while (!this.#stopped) {
      const text = `line ${this.#sent++}`;
      const replies = await Promise.all([this.#ann.ask('message', text), this.#bob.ask('message', text)]);
      expect(replies.map(({ ok }) => ok)).toEqual([true, true]);
    }
  }
}

const pool = new RedisPool();
let node: ChatProcess;
let other: ChatProcess;
let bystanders: Bystanders;
let lurkers: RawWebSocket[];
let memoryBefore: number;
const opened: { close(): void }[] = [];

async function connect(url = node.url, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(url, { ...webSocket, ...options });
  opened.push(client);
  return client;
}

async function join(): Promise<RawWebSocket> {
  const raw = await RawWebSocket.join(node.url);
  opened.push(raw);
  return raw;
}

async function answerPings(raw: RawWebSocket): Promise<void> {
  while ((await raw.next('2')) !== undefined) raw.send('3');
}

function residentBytes(): Promise<number> {
  return node.metric('process_resident_memory_bytes');
}

beforeAll(async () => {
  // A heap this small makes growth without bound a crash.
  [node, other] = await Promise.all([
    ChatProcess.start(pool, {
      NODE_OPTIONS: '--max-old-space-size=128',
      LOG_LEVEL: 'debug',
      ADMIN_TOKEN: adminToken,
    }),
    ChatProcess.start(pool),
  ]);
  memoryBefore = await residentBytes();
  // They open a connection and then only keep it: the last test looks what became of them.
  lurkers = await Promise.all(Array.from({ length: 200 }, () => RawWebSocket.open(other.url)));
  for (const lurker of lurkers) void answerPings(lurker);
});

beforeEach(async () => {
  bystanders = await Bystanders.start(node.url, other.url);
});

afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  await bystanders.check();
  await pool.untilEmpty();
  expect(node.ended).toBe(false);
  // After an attack it may say for a while that it is overloaded.
  await eventually(async () => expect(await node.status('/readyz')).toBe(200));
  expect(node.warnings).toEqual([]);
  expect(node.errors).toBe('');
});

afterAll(async () => {
  for (const lurker of lurkers) lurker.close();
  const codes = await Promise.all([node, other].map(each => each.stop()));
  const keys = await pool.keys();
  await pool.close();
  expect(codes).toEqual([0, 0]);
  expect(keys).toEqual([]);
});

describe('values of any kind', () => {
  const knownCodes = Object.keys(errorTexts);
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.string({ unit: 'binary', maxLength: 600 }),
    fc.record({ message: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()), id: fc.string(), at: fc.integer() }),
    fc.record({ text: fc.string() }),
    fc.record({ sessionId: fc.string(), typing: fc.oneof(fc.boolean(), fc.jsonValue()) }),
    fc.record({ text: fc.anything({ maxDepth: 1 }) }),
    fc.constantFrom<unknown>(
      ...[undefined, null, '', 0, -1, 1e308, true, [], {}, [[]], { message: {} }, { message: null, text: [] }],
      JSON.parse('{"__proto__":{"message":"x"}}'),
      JSON.parse('{"constructor":{"prototype":{"message":"x"}}}'),
      JSON.parse('{"message":{"toString":"x","length":3}}'),
    ),
  );
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.constant('message') },
    fc.constantFrom('search', 'typing', 'Message', 'error', '__proto__', 'constructor', 'toString', 'hasOwnProperty'),
    fc.string({ maxLength: 20 }).filter(name => !/^(skip|end_chat|connect.*|disconnect.*|.*Listener)$/.test(name)),
  );

  it('are answered, and reach a partner only as a message of the known form', async () => {
    const [mallory, peer] = [await connect(), await connect(other.url)];
    await pair(mallory, peer);
    await fc.assert(
      fc.asyncProperty(event, fc.array(value, { maxLength: 3 }), async (name, args) => {
        const reply = await mallory.ask(name, ...args);
        const command = parseCommand(name, args[0], 500);
        const message = command.kind === 'message' ? command.text : undefined;
        expect(reply.ok).toBe(message !== undefined);
        if (reply.ok) expect(await peer.next('message')).toEqual({ id: reply.id, message, at: reply.at });
        else expect(knownCodes).toContain(reply.error.code);
      }),
      { numRuns: 500 },
    );
    expect(await mallory.ask('message', 'the end')).toMatchObject({ ok: true });
    expect(await peer.next('message')).toMatchObject({ message: 'the end' });
    expect([...mallory.received, ...peer.received]).toEqual([]);
  });

  it('may be large, up to the limit of a packet; beyond it the connection ends', async () => {
    const mallory = await connect();
    const invalid = { ok: false, error: { code: 'INVALID_MESSAGE' } };
    expect(await mallory.ask('message', 'x'.repeat(maxPacketBytes - 100))).toMatchObject(invalid);
    expect(await mallory.ask('message', { message: 'x', more: 'x'.repeat(maxPacketBytes - 100) })).toMatchObject({
      error: { code: 'NOT_IN_CHAT' },
    });
    const gone = mallory.disconnected();
    mallory.tell('message', 'x'.repeat(maxPacketBytes));
    expect(await gone).toBe('transport close');
  });
});

/** Each is sent in one text frame, after the namespace was joined. */
const packets = [
  ...['', '0', '0{}', '1', '2', '2probe', '3', '3probe', '4', '5', '6', '7', 'x', '\u0000', 'b4AAAA', '{"a":1}'],
  ...['40', '40{"token":1}', '40{"__proto__":{"a":1}}', '40"x"', '40/admin,', '40/nope,{}', '40/__proto__,'],
  ...['41', '41/nope,', '42', '421', '42[]', '42{}', '42null', '42"x"', '42[null]', '42[{}]', '42[1]', '42[1e999]'],
  ...['42["disconnect"]', '42["disconnecting"]', '42["connect"]', '42["connect_error"]', '42["newListener"]'],
  ...['42["removeListener"]', '42["error"]', '42["error",{"code":"x"}]', '4277["error"]', '42["__proto__"]'],
  ...['42["message"', '42["message","\\ud800"]', '42-1["message","x"]', '421e9["message","x"]', '42 ["search"]'],
  ...['4200000000000000000000["message","x"]', '42999999999999999999999999["search"]', '42/nope,["message","x"]'],
  ...[
    '43',
    '430[]',
    '431[{}]',
    '4399999999[]',
    '43{}',
    '44',
    '44{"message":"x"}',
    '44"x"',
    '45',
    '45-',
    '451-',
    '450-[]',
  ],
  ...['4511-["x"]', '45-1-["x"]', '451-["message",{"_placeholder":true,"num":0}]', '45NaN-[]', '452-["message",{}]'],
  ...['461-[{"_placeholder":true,"num":0}]', '46', '47', '48', '49', '4:', `42["message",${'['.repeat(20_000)}`],
  `42["message",${'['.repeat(30_000)}${']'.repeat(30_000)}]`,
  `421["search",${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}]`,
  `451-["message",${'['.repeat(30_000)}${']'.repeat(30_000)}]`,
  `42["${'x'.repeat(60_000)}"]`,
  `42[${'"message",'.repeat(6000)}1]`,
  `42["message",${'9'.repeat(60_000)}]`,
];

/** Whatever it did, its own connection is answered or ended; it never stays without either. */
async function expectAnswerOrEnd(raw: RawWebSocket): Promise<void> {
  const reply = await raw.ask('barrier');
  if (reply !== undefined) expect(reply).toMatchObject({ ok: false, error: { code: 'UNKNOWN_EVENT' } });
  raw.close();
}

describe('packets that no client sends', () => {
  it.each(packets.map(packet => [packet.length > 60 ? `${packet.slice(0, 60)}…` : packet, packet]))(
    'end the connection or are answered: %j',
    async (_name, packet) => {
      const raw = await join();
      raw.send(packet);
      await expectAnswerOrEnd(raw);
    },
  );

  it('end the connection or are answered: any text', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.jsonValue().map(json => `42${JSON.stringify(json)}`),
      fc
        .tuple(fc.constantFrom(...'0123456789'), fc.constantFrom(...'0123456'), fc.string())
        .map(parts => parts.join('')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 4 }), async texts => {
        const raw = await join();
        for (const each of texts) raw.send(each);
        await expectAnswerOrEnd(raw);
      }),
      { numRuns: 100 },
    );
  });

  const placeholder = '["message",{"_placeholder":true,"num":0}]';
  it.each<[string, (raw: RawWebSocket) => void]>([
    ['binary that nobody announced', raw => raw.sendBinary(Buffer.alloc(100))],
    ['an announced attachment that is a text instead', raw => raw.send(`451-${placeholder}`)],
    [
      'an attachment in a place that does not exist',
      raw => {
        raw.send('451-["message",{"_placeholder":true,"num":"__proto__"}]');
        raw.sendBinary(Buffer.alloc(1));
      },
    ],
    [
      'an attachment below thousands of arrays',
      raw => {
        raw.send(`451-["message",${'['.repeat(30_000)}${']'.repeat(30_000)}]`);
        raw.sendBinary(Buffer.alloc(1));
      },
    ],
    [
      'a binary message',
      raw => {
        raw.send(`451-${placeholder}`);
        raw.sendBinary(Buffer.alloc(1000));
      },
    ],
    ['a text that is not Unicode', raw => raw.sendFrame(0x81, Buffer.from([0x34, 0x32, 0xff, 0xfe]))],
    ['a frame with reserved bits', raw => raw.sendFrame(0xf1, Buffer.from('42["search"]'))],
    ['an opcode that does not exist', raw => raw.sendFrame(0x8b, Buffer.from('x'))],
    ['a ping that is too long', raw => raw.sendFrame(0x89, Buffer.alloc(1000))],
    ['a continuation of nothing', raw => raw.sendFrame(0x80, Buffer.from('x'))],
    ['a frame that says it is enormous', raw => raw.sendBytes(Buffer.from('81fffffffffffffffffe00000000', 'hex'))],
    ['a frame without a mask', raw => raw.sendBytes(Buffer.from('8102' + '3432', 'hex'))],
    ['bytes that are no frame', raw => raw.sendBytes(Buffer.alloc(5000, 0xaa))],
    ['a message that is too large', raw => raw.send(`42["message","${'x'.repeat(maxPacketBytes)}"]`)],
  ])('end the connection or are answered: %s', async (_name, send) => {
    const raw = await join();
    send(raw);
    await expectAnswerOrEnd(raw);
  });

  it('change no prototype', async () => {
    const [mallory, peer] = [await connect(), await connect()];
    await pair(mallory, peer);
    const raw = await join();
    raw.send(
      '42["message",{"__proto__":{"message":"polluted","ok":true},"constructor":{"prototype":{"text":"polluted"}}}]',
    );
    raw.send('42["search",{"__proto__":{"message":"polluted"}}]');
    await raw.ask('barrier');
    expect(await mallory.ask('message', {})).toMatchObject({ ok: false, error: { code: 'INVALID_MESSAGE' } });
    expect(await mallory.ask('message')).toMatchObject({ ok: false, error: { code: 'INVALID_MESSAGE' } });
    await mallory.ask('message', 'the end');
    expect(await peer.next('message')).toMatchObject({ message: 'the end' });
    expect(peer.received).toEqual([]);
  });
});

describe('five thousand events at once', () => {
  const many = Array.from({ length: 5000 }, (_, n) => n);

  it('get an answer each: messages without a chat', async () => {
    const mallory = await connect();
    for (const n of many) mallory.tell('message', String(n));
    const errors = new Promise<void>(resolve => {
      let count = 0;
      mallory.socket.on('error', () => ++count === many.length && resolve());
    });
    await errors;
    expect(new Set(mallory.all('error'))).toEqual(new Set([errorTexts.NOT_IN_CHAT]));
  });

  it('get an answer each: commands', async () => {
    const mallory = await connect();
    const commands = ['search', 'skip', 'end_chat', 'skip', 'nothing'];
    const replies = await Promise.all(many.map(n => mallory.ask(commands[n % commands.length] ?? '')));
    const codes = new Set(replies.map(reply => (reply.ok ? 'ok' : reply.error.code)));
    expect([...codes].toSorted()).toEqual(['TOO_MANY_REQUESTS', 'UNKNOWN_EVENT', 'ok']);
    await mallory.ask('end_chat');
  });

  it('all reach the partner, when nothing limits them', async () => {
    const [mallory, peer] = [await connect(), await connect(other.url)];
    await pair(mallory, peer);
    const replies = await Promise.all(many.map(n => mallory.ask('message', String(n))));
    expect(replies.filter(({ ok }) => !ok)).toEqual([]);
    await eventually(() => expect(peer.received).toHaveLength(many.length));
    expect(peer.all('message').map(({ message }) => message)).toEqual(many.map(String));
  });

  it('may be answers to questions that nobody asked', async () => {
    const raw = await join();
    for (const n of many) raw.send(`43${n}[{"ok":true}]`);
    expect(await raw.ask('barrier')).toMatchObject({ ok: false });
  });
});

describe('polling', () => {
  const path = '/socket.io/?EIO=4&transport=polling';

  const handshake = () => pollingSid(node.url);

  const post = (sid: string, body: string) => node.status(`${path}&sid=${sid}`, { method: 'POST', body });

  it.each([
    ['an unknown id', `${path}&sid=nobody`, {}, 400],
    ['an id that every object has', `${path}&sid=__proto__`, {}, 400],
    ['an unknown transport', '/socket.io/?EIO=4&transport=pigeon', {}, 400],
    ['a transport that every object has', '/socket.io/?EIO=4&transport=constructor', {}, 400],
    ['no transport', '/socket.io/?EIO=4', {}, 400],
    ['an old protocol', '/socket.io/?EIO=3&transport=polling', {}, 400],
    ['a handshake by POST', path, { method: 'POST', body: '40' }, 400],
    ['a handshake by DELETE', path, { method: 'DELETE' }, 400],
  ])('is refused with %s', async (_name, url, options, status) => {
    expect(await node.status(url, options)).toBe(status);
  });

  it('ends when a client polls twice at once', async () => {
    const sid = await handshake();
    expect(await post(sid, '40')).toBe(200);
    await node.status(`${path}&sid=${sid}`);
    const statuses = await Promise.all([node.status(`${path}&sid=${sid}`), node.status(`${path}&sid=${sid}`)]);
    expect(statuses.toSorted()).toEqual([200, 400]);
    expect(await node.status(`${path}&sid=${sid}`)).toBe(400);
  });

  it('ends when a client sends too much', async () => {
    const sid = await handshake();
    expect(await post(sid, '40')).toBe(200);
    expect(await post(sid, `42["message","${'x'.repeat(maxPacketBytes)}"]`).catch(() => 413)).toBe(413);
  });

  it.each(['', 'x', '42["search"', '\u001e'.repeat(1000), '40\u001e40\u001e40', '4', 'bAAAA', '42["disconnect"]'])(
    'takes any body: %j',
    async body => {
      const sid = await handshake();
      expect([200, 400]).toContain(await post(sid, body));
      const ended = [200, 400];
      expect(ended).toContain(await post(sid, '1'));
    },
  );
});

describe('a client that reads nothing', () => {
  const path = '/socket.io/?EIO=4&transport=polling';
  /** Each joins, and then reads nothing any more. What it still sends shows whether its connection is there. */
  const clients: [string, () => Promise<{ send(packet: string): Promise<void>; isClosed(): Promise<boolean> }>][] = [
    [
      'over a WebSocket',
      async () => {
        const raw = await join();
        raw.stall();
        const isClosed = async () => {
          // A client that reads nothing hears of the end when it writes: here, an answer that nobody asked for.
          raw.send('430[]');
          return raw.isClosed;
        };
        return { send: async packet => raw.send(packet), isClosed };
      },
    ],
    [
      'over polling',
      async () => {
        const sid = await pollingSid(node.url);
        const post = (body: string) => node.status(`${path}&sid=${sid}`, { method: 'POST', body });
        await post('40');
        const send = async (packet: string) => void (await post(packet));
        return { send, isClosed: async () => (await post('430[]')) === 400 };
      },
    ],
  ];

  it.each(clients)('is cut off %s, its partner is told, and the memory comes back', async (_how, connectStalled) => {
    const mallory = await connect();
    const stalled = await connectStalled();
    expect(await mallory.ask('search')).toMatchObject({ state: 'waiting' });
    await stalled.send('42["search"]');
    await mallory.next('matched');

    let left = false;
    mallory.socket.on('partner_left', () => {
      left = true;
    });
    let peak = 0;
    const text = '€'.repeat(500);
    while (!left) {
      await Promise.all(Array.from({ length: 500 }, () => mallory.ask('message', text)));
      peak = Math.max(peak, await residentBytes());
    }
    expect(await mallory.next('partner_left')).toMatchObject({ reason: 'disconnect' });
    expect(peak - memoryBefore).toBeLessThan(150 * megabyte);
    // The connection itself is gone, too: the node does not wait for a farewell from a client that reads nothing.
    await eventually(async () => expect(await stalled.isClosed()).toBe(true));
  });

  it.each(clients)('is cut off %s by what the operator tells everyone', async (_how, connectStalled) => {
    bystanders.ignore('announcement');
    const stalled = await connectStalled();
    const body = JSON.stringify({ message: '€'.repeat(500) });
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    // Larger than what the system itself keeps for a WebSocket.
    for (let told = 0; !(await stalled.isClosed()); told++) {
      expect(told).toBeLessThan(100);
      const posts = Array.from({ length: 100 }, () =>
        node.status('/admin/announcements', { method: 'POST', headers, body }),
      );
      await Promise.all(posts);
    }
  });
});

describe('connections that never join', () => {
  it('are closed', async () => {
    await Promise.all(lurkers.map(lurker => lurker.closed));
  });
});

describe('the memory of the node', () => {
  it('is about what it was', async () => {
    await eventually(async () => expect((await residentBytes()) - memoryBefore).toBeLessThan(120 * megabyte));
  });
});

describe('limits', () => {
  let limited: ChatProcess;

  async function limitedNode(environment: Record<string, string>): Promise<void> {
    limited = await ChatProcess.start(pool, { RATE_LIMITS: 'on', TRUST_PROXY: 'loopback', ...environment });
  }

  /** Asks again when the node said that it makes sense, until it works. */
  async function askUntilAllowed(client: ChatClient, event: string, ...args: unknown[]): Promise<void> {
    for (;;) {
      const reply = await client.ask(event, ...args);
      if (reply.ok) return;
      await delay(reply.error.retryAfterMs ?? 0);
    }
  }

  /** Asks for the same so often at once that some is refused, however slow the node is. @returns the first refusal */
  async function askTooOften(client: ChatClient, event: string, ...args: unknown[]): Promise<unknown> {
    const replies = await Promise.all(Array.from({ length: 50 }, () => client.ask(event, ...args)));
    return replies.find(({ ok }) => !ok);
  }

  afterEach(async () => {
    expect(await limited.stop()).toBe(0);
  });

  it('hold for the messages of a user, who may go on later', async () => {
    await limitedNode({ LIMIT_USER_MESSAGES: '3/1' });
    const [ann, bob] = [await connect(limited.url), await connect(other.url)];
    await pair(ann, bob);
    const texts = Array.from({ length: 50 }, (_, n) => `${n + 1}`);
    const replies = await Promise.all(texts.map(text => ann.ask('message', text)));
    expect(replies.slice(0, 3).map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(replies.find(({ ok }) => !ok)).toEqual({
      ok: false,
      error: { code: 'TOO_MANY_MESSAGES', message: 'Too many messages sent', retryAfterMs: expect.any(Number) },
    });
    await askUntilAllowed(ann, 'message', 'later');
    const error = new Promise(resolve => ann.socket.once('error', (...args) => resolve(args)));
    for (let n = 0; n < 50; n++) ann.tell('message', 'told');
    const details = { code: 'TOO_MANY_MESSAGES', retryAfterMs: expect.any(Number) };
    expect(await error).toEqual(['Too many messages sent', details]);
    const shown: string[] = [];
    while (shown.at(-1) !== 'later') shown.push((await bob.next('message')).message);
    expect(shown).toEqual([...texts.filter((_, n) => replies[n]?.ok), 'later']);
  });

  it('hold for other events of a user', async () => {
    await limitedNode({ LIMIT_USER_REQUESTS: '2/1' });
    const [ann, eve] = [await connect(limited.url), await connect(limited.url)];
    const refused = { error: { code: 'TOO_MANY_REQUESTS', message: 'Too many requests' } };
    expect(await askTooOften(ann, 'end_chat')).toMatchObject(refused);
    expect(await eve.ask('end_chat')).toMatchObject({ ok: true });
    await askUntilAllowed(ann, 'end_chat');
  });

  it('hold for word of typing, apart from messages', async () => {
    await limitedNode({ LIMIT_USER_MESSAGES: '2/1' });
    const [ann, bob] = [await connect(limited.url), await connect(other.url)];
    const typing = { sessionId: await pair(ann, bob), typing: true };
    const refused = { error: { code: 'TOO_MANY_REQUESTS', retryAfterMs: expect.any(Number) } };
    expect(await askTooOften(ann, 'typing', typing)).toMatchObject(refused);
    expect(await ann.ask('message', 'hello')).toMatchObject({ ok: true });
    await askUntilAllowed(ann, 'typing', typing);
  });

  it('hold for all users of an address together', async () => {
    await limitedNode({ LIMIT_ADDRESS_REQUESTS: '3/3600', LIMIT_USER_REQUESTS: '3/3600' });
    const from = (address: string) => ({ extraHeaders: { 'x-forwarded-for': address } });
    const [ann, bob] = await Promise.all([1, 2].map(() => connect(limited.url, from('203.0.113.1'))));
    const eve = await connect(limited.url, from('203.0.113.2'));
    const replies = [];
    for (const client of [ann, bob, ann, bob]) replies.push(await client?.ask('end_chat'));
    expect(replies.map(reply => reply?.ok)).toEqual([true, true, true, false]);
    expect(await eve.ask('end_chat')).toMatchObject({ ok: true });
  });

  it('hold for new connections from an address, on all nodes together', async () => {
    const environment = { LIMIT_ADDRESS_CONNECTIONS: '3/3600', ADDRESS_SECRET: 'what the nodes share' };
    await limitedNode(environment);
    const second = await ChatProcess.start(pool, { RATE_LIMITS: 'on', TRUST_PROXY: 'loopback', ...environment });
    const from = (address: string) => ({ extraHeaders: { 'x-forwarded-for': address } });
    const urls = [limited.url, second.url, limited.url];
    await Promise.all(urls.map(url => connect(url, from('203.0.113.9'))));
    const refused = await connect(second.url, from('203.0.113.9')).catch((error: Error) => error);
    expect(refused).toMatchObject({
      message: errorTexts.TOO_MANY_CONNECTIONS,
      data: { code: 'TOO_MANY_CONNECTIONS', retryAfterMs: expect.any(Number) },
    });
    await connect(second.url, from('203.0.113.10'));
    expect(await second.stop()).toBe(0);
  });
});
