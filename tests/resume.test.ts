import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { RedisPool } from './support/redis-pool.ts';
import { replayFacts } from './support/replay-facts.ts';

/** Nobody comes back too late, however slow the machine is. */
const graceMs = 60_000;
let pool: RedisPool;
let nodes: ChatProcess[];
let clients: ChatClient[];

/** A client that asks for resume, and its token. */
class ResumingClient {
  readonly client: ChatClient;
  readonly token: string;
  readonly welcome: { resumed: boolean; state: string; session?: { sessionId: string; partnerAway: boolean } };

  private constructor(client: ChatClient, welcome: ResumingClient['welcome'] & { token: string }) {
    this.client = client;
    this.welcome = welcome;
    this.token = welcome.token;
  }

  static async connect(node: number, resume: true | string = true): Promise<ResumingClient> {
    const client = await connect(node, { auth: { resume } });
    return new ResumingClient(client, await client.next('welcome'));
  }

  /** Loses the connection without a word, as a network does. */
  drop(): void {
    this.client.socket.io.engine.close();
  }
}

async function connect(node: number, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', options);
  clients.push(client);
  return client;
}

async function startNode(environment: Record<string, string> = {}): Promise<ChatProcess> {
  const settings = { LEASE_MS: '2000', RESUME_WITHIN_MS: String(graceMs) };
  const node = await ChatProcess.start(pool, { ...settings, ...environment });
  nodes.push(node);
  return node;
}

beforeEach(async () => {
  pool = new RedisPool();
  nodes = [];
  clients = [];
  await Promise.all([startNode(), startNode()]);
});

afterEach(async () => {
  for (const client of clients) client.close();
  await pool.untilEmpty();
  const codes = await Promise.all(nodes.map(node => (node.ended ? 0 : node.stop())));
  expect(nodes.map(node => node.errors)).toEqual(nodes.map(() => ''));
  expect(codes).toEqual(nodes.map(() => 0));
  const [keys, facts] = [await pool.keys(), await pool.facts()];
  await pool.close();
  expect(keys).toEqual([]);
  expect([...replayFacts(facts)]).toEqual([]);
});

describe('a client that lost its connection', () => {
  it('comes back on another node to the same chat, and the partner is told', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await ResumingClient.connect(1)];
    expect(ann.welcome).toMatchObject({ resumed: false, state: 'idle', graceMs });
    const sessionId = await pair(ann.client, bob.client);
    ann.drop();
    expect(await bob.client.next('partner_away')).toEqual({ sessionId, graceMs });
    expect(await bob.client.ask('message', { message: 'there?', seq: 1, sessionId })).toMatchObject({
      ok: false,
      error: { code: 'PARTNER_AWAY' },
    });
    const again = await ResumingClient.connect(1, ann.token);
    expect(again.welcome).toMatchObject({ resumed: true, state: 'paired', session: { sessionId, partnerAway: false } });
    expect(await bob.client.next('partner_back')).toEqual({ sessionId });
    expect(await bob.client.ask('message', { message: 'hello', seq: 1, sessionId })).toMatchObject({ ok: true });
    expect(await again.client.next('message')).toMatchObject({ message: 'hello', seq: 1, sessionId });
    await again.client.ask('received', { sessionId, upTo: 1 });
    expect(await bob.client.next('delivered')).toEqual({ sessionId, upTo: 1 });
  });

  it('keeps the place in the queue, and nobody is matched with it while it is away', async () => {
    const ann = await ResumingClient.connect(0);
    await ann.client.ask('search');
    ann.drop();
    const redis = await pool.connect();
    await eventually(async () => expect(await redis.zcard(`${pool.prefix}:{lobby}:away`)).toBe(1));
    const bob = await connect(1);
    expect(await bob.ask('search')).toMatchObject({ state: 'waiting' });
    const again = await ResumingClient.connect(1, ann.token);
    expect(again.welcome).toMatchObject({ resumed: true, state: 'waiting' });
    const [{ sessionId }, other] = await Promise.all([again.client.next('matched'), bob.next('matched')]);
    expect(other.sessionId).toBe(sessionId);
  });

  it('is gone when the grace time is over', async () => {
    await startNode({ RESUME_WITHIN_MS: '1000' });
    const [ann, bob] = [await ResumingClient.connect(2), await ResumingClient.connect(1)];
    const sessionId = await pair(ann.client, bob.client);
    ann.drop();
    expect(await bob.client.next('partner_left')).toEqual({ sessionId, reason: 'timeout' });
    const again = await ResumingClient.connect(0, ann.token);
    expect(again.welcome).toMatchObject({ resumed: false, state: 'idle' });
  });

  it('is gone at once when it says goodbye', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    const sessionId = await pair(ann.client, bob);
    ann.client.close();
    expect(await bob.next('partner_left')).toEqual({ sessionId, reason: 'disconnect' });
  });
});

describe('a token', () => {
  it('brings the newer of two connections into the chat and closes the older for good', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    const sessionId = await pair(ann.client, bob);
    const closed = ann.client.disconnected();
    const newer = await ResumingClient.connect(1, ann.token);
    expect(newer.welcome).toMatchObject({ resumed: true, session: { sessionId } });
    expect(await ann.client.next('error')).toMatch(/another window/);
    expect(await closed).toBe('io server disconnect');
    expect(await bob.ask('message', 'still there?')).toMatchObject({ ok: true });
    expect(await newer.client.next('message')).toMatchObject({ message: 'still there?' });
    await bob.barrier();
    expect(bob.received).toEqual([]);
  });

  it('is worthless once the client has sent something with the next one', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    const userId = ann.client.id;
    await pair(ann.client, bob);
    const second = await ResumingClient.connect(1, ann.token);
    expect(await second.client.ask('search')).toMatchObject({ error: { code: 'ALREADY_IN_CHAT' } });
    const redis = await pool.connect();
    const entry = () => redis.hget(`${pool.prefix}:{lobby}:users`, userId);
    await eventually(async () => expect(await entry()).toMatch(/ -$/));
    const thief = await ResumingClient.connect(0, ann.token);
    expect(thief.welcome).toMatchObject({ resumed: false, state: 'idle' });
    await bob.ask('message', 'for ann alone');
    expect(await second.client.next('message')).toMatchObject({ message: 'for ann alone' });
  });

  it('that is old, changed or made up gets nothing', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    await pair(ann.client, bob);
    const second = await ResumingClient.connect(0, ann.token);
    const third = await ResumingClient.connect(0, second.token);
    const changed = `${third.token.slice(0, -1)}${third.token.endsWith('A') ? 'B' : 'A'}`;
    for (const bad of [ann.token, changed, 'nonsense', '', `${third.token}x`]) {
      const thief = await ResumingClient.connect(1, bad);
      expect(thief.welcome).toMatchObject({ resumed: false, state: 'idle' });
      expect(await thief.client.ask('message', 'mine?')).toMatchObject({ error: { code: 'NOT_IN_CHAT' } });
    }
    expect(await bob.ask('message', 'for ann alone')).toMatchObject({ ok: true });
    expect(await third.client.next('message')).toMatchObject({ message: 'for ann alone' });
  });
});

describe('word of typing', () => {
  it('goes from node to node, only to the partner, in the session, and only to one who can resume', async () => {
    const [ann, bob, eve] = [await ResumingClient.connect(0), await connect(1), await ResumingClient.connect(0)];
    const sessionId = await pair(ann.client, bob);
    expect(await bob.ask('typing', { sessionId, typing: true, more: 1 })).toEqual({ ok: true });
    expect(await ann.client.next('partner_typing')).toEqual({ sessionId, typing: true });
    expect(await ann.client.ask('typing', { sessionId, typing: true })).toEqual({ ok: true });
    expect(await bob.ask('typing', { sessionId: 'another', typing: true })).toMatchObject({
      error: { code: 'NOT_IN_CHAT' },
    });
    expect(await eve.client.ask('typing', { sessionId, typing: true })).toMatchObject({
      error: { code: 'NOT_IN_CHAT' },
    });
    // What was sent later has come: so what was sent before has.
    await ann.client.ask('message', { message: 'done', seq: 1, sessionId });
    expect(await bob.next('message')).toMatchObject({ message: 'done' });
    await Promise.all([ann.client.barrier(), eve.client.barrier()]);
    expect(bob.received).toEqual([]);
    expect([...ann.client.all('partner_typing'), ...eve.client.all('partner_typing')]).toEqual([]);
  });
});

describe('a node', () => {
  it('dies, and its clients go on elsewhere', async () => {
    const [ann, bob, cat] = [await ResumingClient.connect(0), await ResumingClient.connect(1), await connect(1)];
    const dan = await connect(0);
    const sessionId = await pair(ann.client, bob.client);
    await pair(cat, dan);
    await nodes[0]?.end('SIGKILL');
    expect(await bob.client.next('partner_away')).toMatchObject({ sessionId });
    expect(await cat.next('partner_left')).toMatchObject({ reason: 'timeout' });
    const again = await ResumingClient.connect(1, ann.token);
    expect(again.welcome).toMatchObject({ resumed: true, session: { sessionId } });
    expect(await again.client.ask('message', { message: 'back', seq: 1, sessionId })).toMatchObject({ ok: true });
    expect(await bob.client.next('message')).toMatchObject({ message: 'back' });
  });

  it('that was stopped for long drops its clients before it does anything for them', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    const sessionId = await pair(ann.client, bob);
    nodes[0]?.process.kill('SIGSTOP');
    const again = await ResumingClient.connect(1, ann.token);
    expect(await bob.ask('message', 'after')).toMatchObject({ ok: true });
    expect(await again.client.next('message')).toMatchObject({ message: 'after', sessionId });
    const redis = await pool.connect();
    // Others have taken over its users.
    await eventually(async () => expect(await redis.zcard(`${pool.prefix}:{lobby}:leases`)).toBe(1));
    ann.client.tell('message', { message: 'too late', seq: 1, sessionId });
    const closed = ann.client.disconnected();
    nodes[0]?.process.kill('SIGCONT');
    expect(await closed).toBe('transport close');
    await nodes[0]?.logged('This process is a node now.', 2);
    await bob.barrier();
    expect(ann.client.received.filter(({ event }) => event !== 'lobby')).toEqual([]);
    expect(bob.received).toEqual([]);
  });

  it('is told to stop: it moves who can resume, lets the others finish, and leaves nothing', async () => {
    const draining = await startNode({ DRAIN_MS: '10000' });
    const [ann, bob] = [await ResumingClient.connect(2), await connect(2)];
    const [cat, dan, eve] = [await connect(2), await connect(1), await connect(2)];
    await pair(ann.client, bob);
    await pair(cat, dan);
    const moved = ann.client.disconnected();
    const released = eve.disconnected();
    const stopped = draining.stop();
    await eventually(async () => expect(await draining.status('/readyz')).toBe(503));
    expect(await draining.status('/socket.io/?EIO=4&transport=polling')).toBe(503);
    expect(await moved).toBe('transport close');
    expect(await released).toBe('transport close');
    const again = await ResumingClient.connect(0, ann.token);
    expect(again.welcome).toMatchObject({ resumed: true, state: 'paired' });
    expect(await cat.ask('message', 'a last word')).toMatchObject({ ok: true });
    expect(await dan.next('message')).toMatchObject({ message: 'a last word' });
    expect(await stopped).toBe(0);
    expect(await dan.next('partner_left')).toMatchObject({ reason: 'disconnect' });
    expect(await again.client.next('partner_left')).toMatchObject({ reason: 'disconnect' });
  });
});

describe('a plain client', () => {
  it('chats with one that resumes without noticing, and gets each message once', async () => {
    const [ann, bob] = [await ResumingClient.connect(0), await connect(1)];
    const sessionId = await pair(ann.client, bob);
    const say = (seq: number) => ann.client.ask('message', { message: `m${seq}`, seq, sessionId });
    await say(1);
    await say(2);
    await say(2);
    await say(4);
    await say(3);
    await say(4);
    await bob.ask('message', 'done');
    expect(await ann.client.next('message')).toMatchObject({ message: 'done', sessionId });
    await bob.barrier();
    expect(bob.all('message').map(({ message }) => message)).toEqual(['m1', 'm2', 'm3', 'm4']);
    expect(Object.keys(bob.all('message')[0] ?? {}).sort()).toEqual(['at', 'id', 'message']);
    expect(ann.client.all('delivered').map(({ upTo, resend }) => [upTo, resend])).toEqual([
      [1, undefined],
      [2, undefined],
      [2, undefined],
      [2, true],
      [3, undefined],
      [4, undefined],
    ]);
    ann.drop();
    const again = await ResumingClient.connect(0, ann.token);
    await again.client.ask('message', { message: 'm5', seq: 5, sessionId });
    expect(await bob.next('message')).toBeDefined();
    await eventually(() => expect(bob.transcript.join()).toContain('m5'));
    expect(bob.transcript.join()).not.toMatch(/away|back|welcome|delivered/);
  });
});
