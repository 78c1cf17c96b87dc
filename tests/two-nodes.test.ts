import { once } from 'node:events';
import { errorTexts } from '@passerby/protocol';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { RedisPool } from './support/redis-pool.ts';

/** In every text that is sent here, to look for it where it must not be. */
const secret = 'tulip';
/** Where the users come from, as a proxy tells. */
const address = '203.0.113.77';

const pool = new RedisPool();
let nodes: ChatProcess[];
let clients: ChatClient[] = [];

async function connect(node: number, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', {
    extraHeaders: { 'x-forwarded-for': address },
    ...options,
  });
  clients.push(client);
  return client;
}

async function pairOn(first: number, second: number, options = {}): Promise<[ChatClient, ChatClient, string]> {
  const [ann, bob] = await Promise.all([connect(first, options), connect(second, options)]);
  return [ann, bob, await pair(ann, bob)];
}

/** Proves that nothing else has come or is on its way from one to the other: the two are in a chat. */
async function expectNothingElse(from: ChatClient, to: ChatClient): Promise<void> {
  await from.ask('message', `${secret} barrier`);
  expect(await to.next('message')).toMatchObject({ message: `${secret} barrier` });
  expect(to.received).toEqual([]);
}

beforeAll(async () => {
  // The limits are on, so that they are part of what is tested, and too high to be met.
  const environment = {
    LOG_LEVEL: 'debug',
    TRUST_PROXY: 'loopback',
    RATE_LIMITS: 'on',
    LIMIT_USER_MESSAGES: '100000/1',
    LIMIT_USER_REQUESTS: '100000/1',
    LIMIT_ADDRESS_MESSAGES: '100000/1',
    LIMIT_ADDRESS_REQUESTS: '100000/1',
    LIMIT_ADDRESS_CONNECTIONS: '100000/1',
  };
  nodes = await Promise.all([ChatProcess.start(pool, environment), ChatProcess.start(pool, environment)]);
});

afterEach(async () => {
  // No client may ever learn the id of another one's socket.
  for (const client of clients) {
    const others = clients.filter(each => each !== client).map(each => each.id);
    expect(others.filter(id => id && client.transcript.some(json => json.includes(id)))).toEqual([]);
  }
  for (const client of clients) client.close();
  clients = [];
  await pool.untilEmpty();
});

afterAll(async () => {
  const codes = await Promise.all(nodes.map(node => node.stop()));
  const keys = await pool.keys();
  await pool.close();
  expect(codes).toEqual([0, 0]);
  expect(keys).toEqual([]);
  const log = nodes.map(node => node.errors + JSON.stringify(node.log)).join();
  expect(log).toContain('A user connected.');
  for (const unwanted of [secret, address, '127.0.0.1', '::1']) expect(log).not.toContain(unwanted);
});

describe('what a client asks for in a row', () => {
  it('is done in this order: what is said after a skip is for nobody who was left', async () => {
    const [ann, bob] = await pairOn(0, 1);
    ann.tell('skip');
    expect(await ann.ask('message', secret)).toMatchObject({ ok: false, error: { code: 'NOT_IN_CHAT' } });
    expect(await bob.next('partner_left')).toMatchObject({ reason: 'skip' });
    expect(bob.received).toEqual([]);
    await ann.ask('end_chat');
  });

  it('is done in this order: who searches and thinks better of it does not wait', async () => {
    const [ann, bob] = [await connect(0), await connect(1)];
    ann.tell('search');
    expect(await ann.ask('end_chat')).toMatchObject({ ok: true, state: 'idle' });
    expect(await bob.ask('search')).toMatchObject({ ok: true, state: 'waiting' });
    await bob.ask('end_chat');
    expect([...ann.received, ...bob.received]).toEqual([]);
  });
});

describe('what a plain client says of a session', () => {
  it('is honoured, or refused, and never ignored', async () => {
    const [ann, bob, old] = await pairOn(0, 1);
    await ann.ask('end_chat', { sessionId: old });
    await bob.next('partner_left');
    const cid = await connect(1);
    const now = await pair(ann, cid);
    const refusals: [event: string, input: object, code: string][] = [
      ['message', { message: secret, sessionId: old }, 'NOT_IN_CHAT'],
      ['message', { text: secret, sessionId: old }, 'NOT_IN_CHAT'],
      ['message', { message: secret, sessionId: old, seq: 1 }, 'NOT_IN_CHAT'],
      ['message', { message: secret, seq: 1 }, 'INVALID_INPUT'],
      ['message', { message: secret, sessionId: now, seq: '1' }, 'INVALID_INPUT'],
      ['message', { message: secret, sessionId: 5 }, 'INVALID_INPUT'],
      ['message', { message: secret, sessionId: 'x'.repeat(65) }, 'INVALID_INPUT'],
      ['received', { sessionId: old, upTo: 1 }, 'NOT_IN_CHAT'],
      ['typing', { sessionId: old, typing: true }, 'NOT_IN_CHAT'],
      ['skip', { sessionId: old }, 'NOT_IN_CHAT'],
      ['end_chat', { sessionId: old }, 'NOT_IN_CHAT'],
      ['skip', { sessionId: [] }, 'INVALID_INPUT'],
    ];
    for (const [event, input, code] of refusals) {
      expect([event, input, await ann.ask(event, input)]).toMatchObject([event, input, { ok: false, error: { code } }]);
    }
    expect(await ann.ask('message', { message: secret, sessionId: now })).toMatchObject({ ok: true });
    expect(await cid.next('message')).toMatchObject({ message: secret });
    await expectNothingElse(ann, cid);
  });
});

describe.each([
  ['polling, then WebSocket', {}],
  ['WebSocket alone', { transports: ['websocket'] }],
  ['polling alone', { transports: ['polling'] }],
])('two strangers on two nodes, over %s', (_name, options) => {
  it('meet, talk, part and meet again', async () => {
    const [ann, bob] = await Promise.all([connect(0, options), connect(1, options)]);
    if (!('transports' in options)) {
      const engines = [ann, bob].map(client => client.socket.io.engine);
      await Promise.all(
        engines.map(engine => engine.transport.name === 'websocket' || once(engine as never, 'upgrade')),
      );
    }

    expect(await ann.ask('search')).toEqual({ ok: true, state: 'waiting' });
    const found = await bob.ask('search');
    const [annMatched, bobMatched] = await Promise.all([ann.next('matched'), bob.next('matched')]);
    expect(annMatched).toEqual({ sessionId: expect.any(String), startedAt: expect.any(Number) });
    expect(bobMatched).toEqual(annMatched);
    const { sessionId } = annMatched;
    expect(found).toEqual({ ok: true, state: 'paired', sessionId });

    for (const input of [`${secret} 1`, { message: `${secret} 2` }, { text: `${secret} 3`, from: 'the Queen' }]) {
      const sent = await ann.ask('message', input);
      const text = typeof input === 'string' ? input : 'message' in input ? input.message : input.text;
      const received = await bob.next('message');
      expect(received).toEqual({ id: expect.any(String), message: text, at: expect.any(Number) });
      expect(sent).toEqual({ ok: true, id: received.id, at: received.at });
    }
    await bob.ask('message', `${secret} e\u0301 \u202e`);
    expect(await ann.next('message')).toMatchObject({ message: `${secret} é` });

    expect(await ann.ask('skip')).toEqual({ ok: true, state: 'waiting' });
    expect(await bob.next('partner_left')).toEqual({ sessionId, reason: 'skip' });
    const second = await bob.ask('search');
    expect(second).toMatchObject({ ok: true, state: 'paired' });
    const [again] = await Promise.all([ann.next('matched'), bob.next('matched')]);
    expect(second).toMatchObject({ sessionId: again.sessionId });
    expect(again.sessionId).not.toBe(sessionId);

    expect(await bob.ask('end_chat')).toEqual({ ok: true, state: 'idle' });
    expect(await ann.next('partner_left')).toEqual({ sessionId: again.sessionId, reason: 'end' });

    const last = await pair(ann, bob);
    await expectNothingElse(ann, bob);
    await expectNothingElse(bob, ann);
    ann.close();
    expect(await bob.next('partner_left')).toEqual({ sessionId: last, reason: 'disconnect' });
    expect(bob.received).toEqual([]);
  });
});

describe('a chat', () => {
  it.each(['skip', 'end_chat', 'leave'])(
    'brings the last words before its end, by %s in the same breath',
    async how => {
      const [ann, bob] = await pairOn(0, 1, { transports: ['websocket'] });
      ann.tell('message', `${secret} farewell`);
      if (how === 'leave') ann.close();
      else ann.tell(how);
      await bob.next('partner_left');
      expect(bob.all('message')).toMatchObject([{ message: `${secret} farewell` }]);
    },
  );

  it('ends once when both leave it at the same time', async () => {
    const [ann, bob, sessionId] = await pairOn(0, 1);
    expect(await Promise.all([ann.ask('end_chat'), bob.ask('end_chat')])).toEqual([
      { ok: true, state: 'idle' },
      { ok: true, state: 'idle' },
    ]);
    const [left, other] = [ann, bob].map(client => client.received);
    // Who came second may have been told first that the partner left; never both.
    expect((left?.length ?? 0) + (other?.length ?? 0)).toBeLessThanOrEqual(1);
    const facts = (await pool.facts()).filter(fact => fact.sessionId === sessionId);
    expect(facts.map(fact => fact.kind)).toEqual(['started', 'ended']);
    await pair(ann, bob);
    for (const client of [ann, bob]) expect(client.all('matched')).toEqual([]);
  });

  it('keeps two users who both skip at the same time in one queue, who then meet again', async () => {
    const [ann, bob, first] = await pairOn(0, 1);
    await Promise.all([ann.ask('skip'), bob.ask('skip')]);
    // One of them may have been told that the other left, and is idle only if its own skip came before.
    const [a, b] = await Promise.all([ann.next('matched'), bob.next('matched')]);
    expect(a).toEqual(b);
    expect(a.sessionId).not.toBe(first);
    expect(await ann.ask('message', `${secret} here`)).toMatchObject({ ok: true });
    expect(await bob.next('message')).toMatchObject({ message: `${secret} here` });
  });

  it('can be left before it began', async () => {
    const [ann, bob] = await Promise.all([connect(0), connect(1)]);
    expect(await ann.ask('search')).toEqual({ ok: true, state: 'waiting' });
    expect(await ann.ask('search', {})).toEqual({ ok: true, state: 'waiting' });
    expect(await ann.ask('end_chat')).toEqual({ ok: true, state: 'idle' });
    expect(await bob.ask('search')).toEqual({ ok: true, state: 'waiting' });
    expect(await ann.ask('skip')).toMatchObject({ ok: true, state: 'paired' });
  });

  it.each([
    ['across nodes', 1],
    ['on one node', 0],
  ])('keeps the order of 200 messages each way, %s', async (_name, second) => {
    const [ann, bob] = await pairOn(0, second);
    const texts = Array.from({ length: 200 }, (_, n) => `${secret} ${n}`);
    for (const text of texts) {
      ann.tell('message', text);
      bob.tell('message', { message: text });
    }
    for (const client of [ann, bob]) {
      const received: string[] = [];
      for (const _ of texts) received.push((await client.next('message')).message);
      expect(received).toEqual(texts);
    }
    await expectNothingElse(ann, bob);
    await expectNothingElse(bob, ann);
  });

  it('gives facts to the outbox: who, since when, why it ended, and how much was said', async () => {
    const [ann, bob, sessionId] = await pairOn(0, 1);
    await ann.ask('message', `${secret} 1`);
    await ann.ask('message', `${secret} 2`);
    await bob.ask('message', `${secret} 3`);
    await ann.next('message');
    const before = (await pool.facts()).filter(fact => fact.sessionId === sessionId);
    const started = {
      sessionId,
      userA: ann.id,
      userB: bob.id,
      startedAt: expect.any(Number),
    };
    expect(before).toEqual([{ kind: 'started', ...started }]);
    await ann.ask('skip');
    const [, ended] = (await pool.facts()).filter(fact => fact.sessionId === sessionId);
    expect(ended).toEqual({ kind: 'ended', ...started, endedAt: expect.any(Number), endReason: 'skip', messages: 3 });
    expect(JSON.stringify(await pool.facts())).not.toContain(secret);
  });

  it.each([
    ['end', 'end_chat'],
    ['disconnect', undefined],
  ])('is recorded with the reason %s', async (reason, event) => {
    const [ann, bob, sessionId] = await pairOn(0, 1);
    if (event) await bob.ask(event);
    else bob.close();
    await ann.next('partner_left');
    const ended = (await pool.facts()).filter(fact => fact.sessionId === sessionId && fact.kind === 'ended');
    expect(ended).toMatchObject([{ endReason: reason, messages: 0 }]);
  });
});

describe('the ways of a message', () => {
  const local = 'passerby_messages_total{route="local"}';
  const remote = 'passerby_messages_total{route="remote"}';
  const counts = () => Promise.all(nodes.flatMap(node => [node.metric(local), node.metric(remote)]));

  it('are counted: from node to node', async () => {
    const before = await counts();
    const [ann, bob] = await pairOn(0, 1);
    for (let n = 0; n < 5; n++) await ann.ask('message', `${secret} ${n}`);
    for (let n = 0; n < 3; n++) await bob.ask('message', `${secret} ${n}`);
    expect((await counts()).map((count, n) => count - (before[n] ?? 0))).toEqual([0, 5, 0, 3]);
  });

  it('do not touch Redis between two users of one node', async () => {
    const before = await counts();
    const redis = await pool.connect();
    const [ann, bob] = await pairOn(0, 0);
    const monitor = await redis.monitor();
    const commands: string[][] = [];
    // What a script does is told besides the script.
    monitor.on('monitor', (_time: string, command: string[], source: string) => {
      if (source !== 'lua') commands.push(command);
    });
    const barrier = async (name: string) => {
      await redis.echo(name);
      while (!commands.some(([, text]) => text === name)) await once(monitor, 'monitor');
    };
    await barrier(`${pool.prefix} before`);
    for (let n = 0; n < 10; n++) {
      await ann.ask('message', `${secret} ${n}`);
      await bob.ask('message', `${secret} ${n}`);
    }
    for (const client of [ann, bob]) for (let n = 0; n < 10; n++) await client.next('message');
    await barrier(`${pool.prefix} after`);
    monitor.disconnect();
    await once(monitor, 'end');

    const leases = `${pool.prefix}:{${pool.pool}}:leases`;
    const [, ...others] = commands
      .filter(command => command.some(part => part.includes(pool.prefix)))
      // The heartbeat of a node, which comes at its own times: one script, whose first key is that of the leases.
      .filter(([, , , key]) => key !== leases);
    expect(others).toEqual([['echo', `${pool.prefix} after`]]);
    expect(JSON.stringify(commands)).not.toContain(secret);
    expect((await counts()).map((count, n) => count - (before[n] ?? 0))).toEqual([20, 0, 0, 0]);
  });
});

describe('an event that cannot be carried out', () => {
  const tooLong = `${secret} ${'x'.repeat(500)}`;
  it.each([
    ['a message without a chat', 'message', [`${secret} x`], 'NOT_IN_CHAT'],
    ['a message without a text', 'message', [], 'INVALID_MESSAGE'],
    ['an empty message', 'message', [' \u200b\n'], 'INVALID_MESSAGE'],
    ['a message that is too long', 'message', [tooLong], 'INVALID_MESSAGE'],
    ['a message of the wrong type', 'message', [{ message: 5 }], 'INVALID_MESSAGE'],
    ['a search with options of the wrong type', 'search', ['fast'], 'INVALID_INPUT'],
    ['an event that nobody knows', 'serach', [], 'UNKNOWN_EVENT'],
  ] as const)('is answered: %s', async (_name, event, args, code) => {
    const ann = await connect(0);
    const message = errorTexts[code];
    expect(await ann.ask(event, ...args)).toEqual({ ok: false, error: { code, message } });
    expect(ann.received).toEqual([]);
    const error = new Promise(resolve => ann.socket.once('error', (...received) => resolve(received)));
    ann.tell(event, ...args);
    expect(await error).toEqual([message, { code }]);
    expect(await nodes[0]?.metric(`passerby_errors_total{code="${code}"}`)).toBeGreaterThanOrEqual(2);
  });

  it('has the wordings that clients match on', () => {
    expect(errorTexts).toMatchObject({
      INVALID_MESSAGE: 'Invalid message',
      TOO_MANY_MESSAGES: 'Too many messages sent',
    });
  });

  it('changes nothing: a search in a chat', async () => {
    const [ann, bob] = await pairOn(0, 1);
    const error = { code: 'ALREADY_IN_CHAT', message: errorTexts.ALREADY_IN_CHAT };
    expect(await ann.ask('search')).toEqual({ ok: false, error });
    ann.tell('search');
    expect(await ann.next('error')).toBe(error.message);
    await expectNothingElse(ann, bob);
    await expectNothingElse(bob, ann);
  });

  it('reaches nobody else: a bad message in a chat', async () => {
    const [ann, bob] = await pairOn(0, 1);
    for (const bad of [undefined, null, 5, [], {}, tooLong]) {
      expect(await ann.ask('message', bad)).toMatchObject({ ok: false, error: { code: 'INVALID_MESSAGE' } });
    }
    await expectNothingElse(ann, bob);
  });
});
