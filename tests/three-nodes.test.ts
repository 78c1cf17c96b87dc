import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Redis } from 'ioredis';
import { ChatClient, pair } from './support/chat-client.ts';
import { ChatProcess } from './support/chat-process.ts';
import { eventually } from './support/eventually.ts';
import { pollingSid } from './support/polling-sid.ts';
import { RawWebSocket } from './support/raw-web-socket.ts';
import { RedisPool } from './support/redis-pool.ts';
import { replayFacts } from './support/replay-facts.ts';

const webSocket = { transports: ['websocket'] };

let pool: RedisPool;
let redis: Redis;
let nodes: ChatProcess[];
let clients: ChatClient[];

async function connect(node: number, options = {}): Promise<ChatClient> {
  const client = await ChatClient.connect(nodes[node]?.url ?? '', { ...webSocket, ...options });
  clients.push(client);
  return client;
}

function node(index: number): ChatProcess {
  const found = nodes[index];
  if (!found) throw new Error('There is no such node.');
  return found;
}

const key = (name: string) => `${pool.prefix}:{${pool.pool}}:${name}`;

beforeEach(async () => {
  pool = new RedisPool();
  clients = [];
  redis = await pool.connect();
  // Short, because some tests wait until a lease lapses; not so short that one lapses on a busy machine.
  const start = () => ChatProcess.start(pool, { LEASE_MS: '2000' });
  nodes = await Promise.all([start(), start(), start()]);
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const each of nodes) each.process.kill('SIGCONT');
  const codes = await Promise.all(nodes.map(each => each.stop()));
  const keys = await pool.keys();
  const open = replayFacts(await pool.facts());
  await pool.close();
  // Null: a test killed it.
  expect(codes.filter(code => code !== null && code !== 0)).toEqual([]);
  expect(keys).toEqual([]);
  expect([...open]).toEqual([]);
  expect(nodes.map(each => each.errors + each.log.filter(({ level }) => level >= 50).map(line => line.msg))).toEqual([
    '',
    '',
    '',
  ]);
});

async function crowd(size: number): Promise<ChatClient[]> {
  const all: ChatClient[] = [];
  // Connected a few at a time: what is tested is the race of searches, not of handshakes.
  while (all.length < size) {
    all.push(...(await Promise.all(Array.from({ length: 60 }, (_, n) => connect(n % 3)))));
  }
  for (const extra of all.splice(size)) extra.close();
  return all;
}

describe('a crowd on three nodes', () => {
  it('makes 500 disjoint pairs of 1000 users who search at once, and ends them all at once', async () => {
    const users = await crowd(1000);
    const replies = await Promise.all(users.map(user => user.ask('search')));
    expect(replies.filter(reply => !reply.ok)).toEqual([]);
    const matches = await Promise.all(users.map(user => user.next('matched')));

    const bySession = new Map<string, ChatClient[]>();
    for (const [n, user] of users.entries()) {
      const sessionId = matches[n]?.sessionId ?? '';
      bySession.set(sessionId, [...(bySession.get(sessionId) ?? []), user]);
    }
    expect(bySession.size).toBe(500);
    const facts = await pool.facts();
    expect(facts).toHaveLength(500);
    const open = replayFacts(facts);
    for (const [sessionId, pairOfUsers] of bySession) {
      expect(open.get(sessionId)?.toSorted()).toEqual(pairOfUsers.map(user => user.id).toSorted());
    }
    expect(await redis.zcard(key('queue'))).toBe(0);

    const ends = await Promise.all(users.map(user => user.ask('end_chat')));
    expect(ends.filter(reply => !reply.ok || reply.state !== 'idle')).toEqual([]);
    expect(replayFacts(await pool.facts()).size).toBe(0);
    expect(users.filter(user => user.all('matched').length > 0)).toEqual([]);
    expect(users.filter(user => user.all('partner_left').length > 1)).toEqual([]);

    for (const user of users) user.close();
    await pool.untilEmpty();
    expect(await redis.zcard(key('queue'))).toBe(0);
  });

  it('is in order again after 200 users skipped ten times each without waiting', async () => {
    const users = await crowd(200);
    // Like a person who wants to go on: whoever is left searches again.
    for (const user of users) user.socket.on('partner_left', () => user.tell('search'));
    const skips = users.flatMap(user => Array.from({ length: 10 }, () => user.ask('skip')));
    const replies = await Promise.all(skips);
    expect(replies.filter(reply => !reply.ok)).toEqual([]);

    const ids = users.map(user => user.id).toSorted();
    const open = await eventually(async () => {
      const found = replayFacts(await pool.facts());
      expect([...found.values()].flat().toSorted()).toEqual(ids);
      return found;
    });
    expect(await redis.zcard(key('queue'))).toBe(0);
    const byId = new Map(users.map(user => [user.id, user]));

    // The two sides of every session agree: each gets what the other says, and nobody else's.
    await eventually(() => {
      for (const [sessionId, sides] of open) {
        for (const id of sides) expect(byId.get(id)?.all('matched').at(-1)?.sessionId).toBe(sessionId);
      }
    });
    await Promise.all(users.map(user => user.ask('message', user.id)));
    for (const [a, b] of open.values()) {
      expect((await byId.get(a)?.next('message'))?.message).toBe(b);
      expect((await byId.get(b)?.next('message'))?.message).toBe(a);
    }
    for (const user of users) {
      expect(user.all('message')).toEqual([]);
      // Every chat but the last one began and ended, and never two at once.
      expect(user.all('error').filter(text => text !== 'You are already in a chat')).toEqual([]);
    }

    for (const user of users) user.close();
    await pool.untilEmpty();
    expect(await redis.zcard(key('queue'))).toBe(0);
  });
});

describe('a node that is killed', () => {
  it('leaves nobody in a chat with nobody, and nothing in Redis', async () => {
    const [ann, bob, dee] = [await connect(0), await connect(1), await connect(0)];
    const sessionId = await pair(ann, bob);
    expect(await dee.ask('search')).toMatchObject({ state: 'waiting' });
    await node(0).end('SIGKILL');
    expect(await bob.next('partner_left')).toEqual({ sessionId, reason: 'timeout' });

    const [cat, eve] = [await connect(1), await connect(2)];
    expect(await cat.ask('search')).toEqual({ ok: true, state: 'waiting' });
    expect(await eve.ask('search')).toMatchObject({ ok: true, state: 'paired' });
    expect(await cat.next('matched')).toEqual(await eve.next('matched'));
    expect(await bob.ask('search')).toEqual({ ok: true, state: 'waiting' });

    await eventually(async () => expect(await redis.hlen(key('users'))).toBe(3));
    expect(await redis.zrange(key('queue'), '0', '-1')).toEqual([bob.id]);
    expect(await redis.zcard(key('leases'))).toBe(2);
    expect((await pool.keys()).filter(name => name.includes(':members:'))).toHaveLength(2);
    const ended = (await pool.facts()).filter(fact => fact.kind === 'ended');
    expect(ended).toMatchObject([{ sessionId, endReason: 'timeout', messages: null }]);
  });

  it('has no waiting users any more as soon as its lease lapsed, before anybody cleans up', async () => {
    const [dee, cat] = [await connect(0), await connect(1)];
    expect(await dee.ask('search')).toMatchObject({ state: 'waiting' });
    const { node: nodeId } = await node(0).logged('This process is a node now.');
    node(0).process.kill('SIGSTOP');
    await redis.zadd(key('leases'), 1, String(nodeId));
    expect(await cat.ask('search')).toEqual({ ok: true, state: 'waiting' });
    await eventually(async () => expect(await redis.hkeys(key('users'))).toEqual([cat.id]));
  });

  it('does not keep a user for long who was matched before anybody knew', async () => {
    const [dee, bob] = [await connect(0), await connect(1)];
    expect(await dee.ask('search')).toMatchObject({ state: 'waiting' });
    await node(0).end('SIGKILL');
    const reply = await bob.ask('search');
    if (!reply.ok) throw new Error(reply.error.message);
    // Unless the lease has lapsed already, bob is matched with a user who is gone, and learns it.
    if (reply.state === 'paired') {
      expect(await bob.next('partner_left')).toEqual({ sessionId: reply.sessionId, reason: 'timeout' });
    }
    await bob.ask('end_chat');
    await eventually(async () => expect(await redis.zcard(key('leases'))).toBe(2));
    expect(await redis.hkeys(key('users'))).toEqual([bob.id]);
  });
});

describe('a node that is told to stop', () => {
  it('tells the partners at once and leaves nothing', async () => {
    const [ann, bob, dee, eve] = [await connect(0), await connect(1), await connect(0), await connect(0)];
    const sessionId = await pair(ann, bob);
    expect(await dee.ask('search')).toMatchObject({ state: 'waiting' });
    const gone = Promise.all([ann, dee, eve].map(client => client.disconnected()));
    const code = node(0).stop();
    expect(await bob.next('partner_left')).toEqual({ sessionId, reason: 'disconnect' });
    expect(await code).toBe(0);
    // This reason, unlike `io server disconnect`, leaves clients free to connect again.
    expect(await gone).toEqual(['transport close', 'transport close', 'transport close']);
    expect(await redis.hkeys(key('users'))).toEqual([bob.id]);
    expect(await redis.zcard(key('queue'))).toBe(0);
    expect(await redis.zcard(key('leases'))).toBe(2);
    expect((await pool.keys()).filter(name => name.includes(':members:'))).toHaveLength(1);
    expect(node(0).log.at(-1)?.msg).toBe('Stopped.');
  });
});

describe('a node that is told to stop, with clients who do not answer', () => {
  it('does not wait for them', async () => {
    const { url } = node(0);
    const silent = [await RawWebSocket.join(url), await RawWebSocket.open(url)];
    for (const raw of silent) raw.stall();
    // Two who vanished after their handshake, one of them in the middle of a request.
    await node(0).status('/socket.io/?EIO=4&transport=polling');
    const path = `/socket.io/?EIO=4&transport=polling&sid=${await pollingSid(url)}`;
    const half = connectTcp(Number(new URL(url).port), '127.0.0.1');
    half.on('error', () => undefined);
    half.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n40`);
    await once(half, 'ready');

    const startedAt = performance.now();
    expect(await node(0).stop()).toBe(0);
    // A farewell alone would be waited for for 30 s.
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    for (const each of silent) each.close();
    half.destroy();
  });
});

describe('a node that stood still for longer than its lease', () => {
  it('begins anew, with its clients', async () => {
    const again = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100 };
    const [ann, bob, dee] = [await connect(0, again), await connect(1), await connect(0, again)];
    const [fay, gus] = [await connect(0, again), await connect(0, again)];
    const annId = ann.id;
    const sessionId = await pair(ann, bob);
    await pair(fay, gus);
    expect(await dee.ask('search')).toMatchObject({ state: 'waiting' });

    node(0).process.kill('SIGSTOP');
    expect(await bob.next('partner_left')).toEqual({ sessionId, reason: 'timeout' });
    await eventually(async () => expect(await redis.hkeys(key('users'))).toEqual([bob.id]));
    ann.tell('message', 'Are you still there?');
    fay.tell('message', 'And you?');

    const gone = Promise.all([ann, dee, fay, gus].map(client => client.disconnected()));
    const back = Promise.all([ann, dee, fay, gus].map(client => client.connected()));
    node(0).process.kill('SIGCONT');
    await node(0).logged('This process is a node now.', 2);
    expect(await gone).toEqual(Array(4).fill('transport close'));
    await back;
    expect(ann.id).not.toBe(annId);

    // Whoever was in a chat or waited is idle now, and everybody can chat again, with anybody.
    expect(bob.all('message')).toEqual([]);
    expect(await redis.zcard(key('queue'))).toBe(0);
    await pair(ann, bob);
    await pair(dee, fay);
    expect(await ann.ask('message', 'hello again')).toMatchObject({ ok: true });
    expect(await bob.next('message')).toMatchObject({ message: 'hello again' });
    expect(await gus.ask('search')).toEqual({ ok: true, state: 'waiting' });
  });

  it('cleans up after itself when it is the only one', async () => {
    await Promise.all([node(1).stop(), node(2).stop()]);
    const [ann, bob] = [await connect(0), await connect(0)];
    await pair(ann, bob);
    const gone = Promise.all([ann.disconnected(), bob.disconnected()]);
    node(0).process.kill('SIGSTOP');
    const lapsed = async () => {
      const [seconds] = await redis.time();
      const [, lapsesAt] = await redis.zrange(key('leases'), '0', '0', 'WITHSCORES');
      expect(Number(lapsesAt)).toBeLessThan(Number(seconds) * 1000);
    };
    await eventually(lapsed);
    node(0).process.kill('SIGCONT');
    expect(await gone).toEqual(['transport close', 'transport close']);
    await pool.untilEmpty();
    await node(0).logged('This process is a node now.', 2);
    const [cat, dan] = [await connect(0), await connect(0)];
    await pair(cat, dan);
    expect(replayFacts(await pool.facts()).size).toBe(1);
  });
});
