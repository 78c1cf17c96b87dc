import { once } from 'node:events';
import type { SessionFact } from '@passerby/core';
import { applyMigrations } from '@passerby/database';
import type { Redis } from 'ioredis';
import {
  createTemporaryDatabase,
  type TemporaryDatabase,
} from '../../../../packages/database/test/temporary-database.ts';
import { eventually } from '../../../../tests/support/eventually.ts';
import { RedisPool } from '../../../../tests/support/redis-pool.ts';
import { type MatchProcess, startMatcher } from '../../src/bench/match-process.ts';

let pool: RedisPool;
let redis: Redis;
let database: TemporaryDatabase;
let worker: MatchProcess;

beforeEach(async () => {
  pool = new RedisPool();
  redis = await pool.connect();
  database = await createTemporaryDatabase();
  await applyMigrations(database.url);
  worker = startMatcher();
  await worker.tell('startBare', { redisUrl: pool.url, databaseUrl: database.url, prefix: pool.prefix });
});

afterEach(async () => {
  await worker.stop();
  await redis.del(key('users'), ...(await redis.keys(`${pool.prefix}:*`)));
  await pool.close();
  await database.drop();
});

const key = (name: string) => `${pool.prefix}:{lobby}:${name}`;

/** All rows, each as the last fact of its session, in the order of their ids. */
async function rows(): Promise<SessionFact[]> {
  const found = await database.query<{ row: SessionFact }>(`
    SELECT json_strip_nulls(json_build_object(
      'kind', CASE WHEN "endedAt" IS NULL THEN 'started' ELSE 'ended' END,
      'sessionId', id, 'userA', "userA", 'userB', "userB", 'startedAt', extract(epoch FROM "startedAt") * 1000,
      'endedAt', extract(epoch FROM "endedAt") * 1000, 'endReason', "endReason", 'messages', messages
    )) AS row FROM "ChatSession" ORDER BY id::text`);
  return found.map(({ row }) => row);
}

/** The last fact of each session, in the order of their ids. */
function lastFacts(facts: readonly SessionFact[]): SessionFact[] {
  const byId = new Map(facts.map(fact => [fact.sessionId, fact]));
  return [...byId.values()].sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
}

/** The commands on keys and channels with this prefix that Redis carries out meanwhile: those of clients, and those of scripts. */
async function commandsOf(
  prefix: string,
  work: () => Promise<unknown>,
): Promise<{ clients: string[][]; scripts: string[][] }> {
  const found = { clients: [] as string[][], scripts: [] as string[][] };
  const over = `over-${prefix}`;
  const monitor = await redis.monitor();
  const sawAll = new Promise<void>(resolve => {
    monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
      if (args.some(arg => arg.startsWith(`${prefix}:`))) {
        found[source === 'lua' ? 'scripts' : 'clients'].push([name.toLowerCase(), ...args]);
      }
      if (args[0] === over) resolve();
    });
  });
  await work();
  await redis.echo(over);
  await sawAll;
  const ended = once(monitor, 'end');
  monitor.disconnect();
  await ended;
  return found;
}

describe('bare commands', () => {
  it('pair users and end chats in Redis, and write the same to PostgreSQL in batches', async () => {
    const made = await worker.tell('match', { matches: 2500, chats: 300, atOnce: 20 });
    const facts = await pool.facts();
    expect(facts.filter(({ kind }) => kind === 'started')).toHaveLength(made);
    expect(facts.filter(({ kind }) => kind === 'ended')).toHaveLength(made - 300);

    const entries = new Map(
      Object.entries(await redis.hgetall(key('users'))).map(([id, text]) => [id, text.split(' ')]),
    );
    const inState = (state: string) => [...entries].filter(([, entry]) => entry[1] === state);
    expect(inState('p')).toHaveLength(600);
    const open = new Set(lastFacts(facts).flatMap(({ kind, sessionId }) => (kind === 'started' ? [sessionId] : [])));
    for (const [userId, [, , , , , partnerId = '', sessionId = '']] of inState('p')) {
      expect(open).toContain(sessionId);
      expect(entries.get(partnerId)?.slice(5, 7)).toEqual([userId, sessionId]);
    }
    expect(await redis.zrange(key('queue'), '0', '-1')).toEqual(inState('w').map(([userId]) => userId));

    // As many as go together, without being asked for.
    await eventually(async () => expect((await rows()).length).toBeGreaterThanOrEqual(2000));
    await worker.tell('recorded');
    expect(await rows()).toEqual(lastFacts(facts));
    expect(await redis.exists(key('outbox'))).toBe(0);
  });

  it('are called as those of Passerby are, and change as much', async () => {
    const passerby = startMatcher();
    const prefix = `${pool.prefix}:passerby`;
    try {
      await passerby.tell('startPasserby', { redisUrl: pool.url, prefix });
      const oneMatch = { matches: 1, chats: 0, atOnce: 1 };
      // The first time, scripts may be sent as they are.
      await passerby.tell('match', oneMatch);
      const theirs = await commandsOf(prefix, () => passerby.tell('match', oneMatch));
      const bare = await commandsOf(pool.prefix, () => worker.tell('match', oneMatch));
      const calls = ({ clients }: typeof bare) => clients.map(([name, , ...args]) => [name, args.length]);
      expect(calls(bare)).toEqual(calls(theirs));
      // A new user becomes a member of the node once.
      const changes = ({ scripts }: typeof bare) =>
        scripts.map(([name]) => name).filter(name => !/^(hget|zscore|zrange|sadd)$/.test(name ?? ''));
      expect(changes(bare)).toEqual(changes(theirs));
      const [, channel = ''] = bare.scripts.find(([name]) => name === 'publish') ?? [];
      expect(Number((await redis.pubsub('NUMSUB', channel))[1])).toBe(1);
    } finally {
      await passerby.stop();
    }
  });
});

describe('bare statements', () => {
  it('write what waits in an outbox, and leave nothing there', async () => {
    // So few that bare commands write nothing by themselves.
    await worker.tell('match', { matches: 600, chats: 100, atOnce: 20 });
    const facts = await pool.facts();
    expect(await rows()).toEqual([]);
    await worker.tell('startBareRecorder', { redisUrl: pool.url, databaseUrl: database.url });
    await worker.tell('record', { outbox: key('outbox') });
    expect(await rows()).toEqual(lastFacts(facts));
    expect(await redis.xlen(key('outbox'))).toBe(0);
  });

  it('write each session twice, all beginnings before the first end', async () => {
    await worker.tell('prepareBatches', { count: 4100 });
    await worker.tell('writeBatches');
    const found = await rows();
    expect(found).toHaveLength(4100);
    expect(found.filter(({ kind }) => kind === 'ended')).toHaveLength(4100);
    expect(found[0]).toMatchObject({ endReason: 'end', messages: 12 });
    const times = found.map(({ startedAt, ...ended }) => ({
      startedAt,
      endedAt: 'endedAt' in ended ? ended.endedAt : 0,
    }));
    expect(Math.max(...times.map(({ startedAt }) => startedAt))).toBeLessThanOrEqual(
      Math.min(...times.map(({ endedAt }) => endedAt)),
    );
  });
});
