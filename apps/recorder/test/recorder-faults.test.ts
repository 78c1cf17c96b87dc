import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SessionFact, SessionLog } from '@passerby/core';
import { applyMigrations, PrismaSessionLog } from '@passerby/database';
import { RedisOutbox, RedisPairRegistry, RedisPairStore, RedisStatusBoard } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { Client } from 'pg';
import { pino } from 'pino';
import { createTemporaryDatabase, type TemporaryDatabase } from '../../../packages/database/test/temporary-database.ts';
import { poolKeys } from '../../../packages/redis/src/keys.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { RedisServer } from '../../cluster/src/index.ts';
import { Metrics } from '../src/metrics.ts';
import { Recorder } from '../src/recorder.ts';
import { Sweeper } from '../src/sweeper.ts';
import { AnswerlessLine } from './answerless-line.ts';
import { manySessions, pool } from './many-sessions.ts';
import { RecorderProcess, retryRefused } from './recorder-process.ts';
import { StoppablePostgres } from './stoppable-postgres.ts';

const { facts, rows } = manySessions(3_000);

/** Ends what a test began, the latest first. */
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'passerby-recorder-'));
  cleanUps.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function temporaryDatabase(): Promise<TemporaryDatabase> {
  const database = await createTemporaryDatabase();
  cleanUps.push(() => database.drop());
  await applyMigrations(database.url);
  return database;
}

class Stream {
  readonly pool: RedisPool;
  readonly #redis: Redis;
  readonly #key: string;

  private constructor(redisPool: RedisPool, redis: Redis) {
    this.pool = redisPool;
    this.#redis = redis;
    this.#key = `${redisPool.prefix}:{${redisPool.pool}}`;
  }

  static async open(url?: string): Promise<Stream> {
    const redisPool = new RedisPool(url);
    const stream = new Stream(redisPool, await redisPool.connect());
    cleanUps.push(() => redisPool.close());
    return stream;
  }

  async add(added: readonly (SessionFact | { kind: 'strange' })[]): Promise<void> {
    const fields = (fact: object) => Object.entries(fact).flatMap(([name, value]) => [name, String(value ?? '')]);
    await Promise.all(added.map(fact => this.#redis.xadd(`${this.#key}:outbox`, '*', ...fields(fact))));
  }

  length(): Promise<number> {
    return this.#redis.xlen(`${this.#key}:outbox`);
  }

  /** The reasons of the refused facts, sorted. */
  async reasons(): Promise<string[]> {
    const entries = await this.#redis.xrange(`${this.#key}:refused`, '-', '+');
    return entries.map(([, fields]) => fields.at(-3) ?? '').toSorted();
  }

  untilEmpty(): Promise<void> {
    return eventually(async () => expect(await this.length()).toBe(0));
  }
}

/** Tells when a call is under way, so that a fault can happen in the middle of it. */
class Calls {
  readonly #events = new EventEmitter();

  begun<Result>(call: Promise<Result>): Promise<Result> {
    this.#events.emit('begun');
    return call;
  }

  /** Resolves at some moment in the first few ms of the next call. */
  async next(): Promise<void> {
    await once(this.#events, 'begun');
    await delay(Math.random() * 4);
  }
}

interface RecorderParts {
  stream: Stream;
  databaseUrl: string;
  writes?: Calls;
  removals?: Calls;
  sweepEveryMs?: number;
  tryMs?: number;
}

/** A recorder within this process. */
async function startRecorder(parts: RecorderParts) {
  const { stream, databaseUrl, writes, removals, sweepEveryMs = 60_000, tryMs = 15_000 } = parts;
  const redis = await stream.pool.connect({ commandTimeoutMs: 5_000 });
  const outbox = new RedisOutbox(redis, stream.pool.location);
  const sessionLog = new PrismaSessionLog({ databaseUrl, pool, tryMs });
  const log: SessionLog = {
    write: batch => (writes ? writes.begun(sessionLog.write(batch)) : sessionLog.write(batch)),
    check: () => sessionLog.check(),
    openSessions: query => sessionLog.openSessions(query),
  };
  const remove = outbox.remove.bind(outbox);
  if (removals) outbox.remove = ids => removals.begun(remove(ids));
  const metrics = new Metrics();
  const registry = new RedisPairRegistry(redis, stream.pool.location);
  const recorder = new Recorder({
    ...{ pool, outbox, metrics, batchSize: 100, highWater: 1e6 },
    sessionLog: log,
    board: new RedisStatusBoard(redis, stream.pool.location),
    sweeper: new Sweeper({ sessionLog, registry, sweepEveryMs }),
    log: pino({ level: 'silent' }),
  });
  recorder.start();
  cleanUps.push(async () => {
    await recorder.stop();
    await sessionLog.close();
  });
  const failures = async () => (await metrics.failures.get()).values[0]?.value ?? 0;
  return { recorder, failures };
}

const allRows = 'SELECT * FROM "ChatSession" ORDER BY id';

describe('two recorders that are killed again and again', () => {
  it('record every session once, with the right values, and set aside once what is refused', async () => {
    const database = await temporaryDatabase();
    const stream = await Stream.open();
    const nul = (n: number): SessionFact => ({ ...(facts[0] as SessionFact), userA: `NUL \u0000 ${n}` });
    const inPlaces = facts.flatMap((fact, index) => {
      if (index % 1_000 === 500) return [fact, nul(index)];
      return index === 2_222 ? [fact, { kind: 'strange' } as const] : [fact];
    });
    const kills = 5;
    const startProcess = async () => {
      const recorder = await RecorderProcess.start(stream.pool, database.url);
      cleanUps.push(() => recorder.end('SIGKILL'));
      return recorder;
    };
    const killAgainAndAgain = async () => {
      for (let kill = 0; kill < kills; kill++) {
        const recorder = await startProcess();
        // The moment is of no matter, as long as it is another one each time.
        await delay(Math.random() * 60);
        await recorder.end('SIGKILL');
      }
    };
    await stream.add(inPlaces);
    // The same ones come all the time, so that there is work at the moment of each kill.
    let over = false;
    const feed = async () => {
      while (!over) {
        if ((await stream.length()) < facts.length) await stream.add(facts.slice(0, 1_000));
        else await delay(5);
      }
    };
    const killing = Promise.all([killAgainAndAgain(), killAgainAndAgain()]).finally(() => {
      over = true;
    });
    await Promise.all([killing, feed()]);

    const last = await startProcess();
    await stream.untilEmpty();
    expect(await last.end('SIGTERM')).toBe(0);
    expect(await database.query(allRows)).toEqual(rows);
    const refused = Array.from({ length: 6 }, () => expect.stringMatching(/^SQLSTATE 22021: /));
    expect(await stream.reasons()).toEqual([...refused, 'The entry has the unknown kind "strange".']);
    // It starts eleven processes, which takes long on a busy machine.
  }, 60_000);
});

describe('the command retry-refused', () => {
  it('puts back what was refused, to be recorded', async () => {
    const database = await temporaryDatabase();
    const stream = await Stream.open();
    await database.query(`ALTER TABLE "ChatSession" ADD CONSTRAINT "no" CHECK ("userA" NOT LIKE 'a1%')`);
    await startRecorder({ stream, databaseUrl: database.url });
    const some = manySessions(20);
    await stream.add(some.facts);
    await stream.untilEmpty();
    expect(await stream.reasons()).toHaveLength(22);
    await database.query('ALTER TABLE "ChatSession" DROP CONSTRAINT "no"');
    const printed = await retryRefused(stream.pool, database.url);
    expect(printed).toBe('Put 22 facts of the pool lobby back into the outbox.\n');
    await stream.untilEmpty();
    expect(await database.query(allRows)).toEqual(some.rows);
    expect(await stream.reasons()).toEqual([]);
  });
});

describe('a connection that is cut between commit and answer', () => {
  it('does no harm', async () => {
    const database = await temporaryDatabase();
    const stream = await Stream.open();
    const line = new AnswerlessLine(database.url);
    const databaseUrl = await line.open();
    cleanUps.push(() => line.close());
    line.isLosing = true;
    await stream.add(facts);
    const { failures } = await startRecorder({ stream, databaseUrl });
    await eventually(async () => expect(await failures()).toBeGreaterThan(1));
    expect(await stream.length()).toBe(facts.length);
    expect(await database.query('SELECT 1 FROM "ChatSession" LIMIT 1')).toHaveLength(1);
    line.isLosing = false;
    await stream.untilEmpty();
    expect(await database.query(allRows)).toEqual(rows);
  });
});

describe('PostgreSQL', () => {
  it('may fall silent and may be killed in the middle of batches', async () => {
    const postgres = await StoppablePostgres.start(await temporaryDir());
    cleanUps.push(() => postgres.stop());
    await applyMigrations(postgres.url);
    const stream = await Stream.open();
    const writes = new Calls();
    const { failures } = await startRecorder({ stream, databaseUrl: postgres.url, writes, tryMs: 900 });
    const third = facts.length / 3;
    for (const begin of [0, third]) {
      const killed = writes.next().then(() => postgres.killAndRestart());
      await stream.add(facts.slice(begin, begin + third));
      await killed;
    }
    // The batch in hand has been sent, and is carried out much later, after others have been tried.
    const frozen = writes.next().then(() => postgres.freeze());
    await stream.add(facts.slice(2 * third));
    await frozen;
    const before = await failures();
    await eventually(async () => expect(await failures()).toBeGreaterThan(before + 1));
    // Chat does not notice: the outbox still takes facts.
    await stream.add(facts.slice(0, 100));
    postgres.thaw();
    await stream.untilEmpty();

    const client = new Client(postgres.url);
    await client.connect();
    const recorded = (await client.query(allRows)).rows;
    await client.end();
    expect(recorded).toEqual(rows);
    // The recorder pauses for up to 5 s after each fault.
  }, 60_000);
});

describe('Redis with persistence', () => {
  it('may stop, and may be killed, while entries are being removed', async () => {
    const dir = await temporaryDir();
    const database = await temporaryDatabase();
    let server = await RedisServer.start({ dir, persistent: true });
    cleanUps.push(() => server.stop());
    const stream = await Stream.open(server.url);
    const startAgain = async () => {
      server = await RedisServer.start({ dir, persistent: true, port: server.port });
    };
    const removals = new Calls();
    const killed = removals.next().then(() => server.process.kill());
    await stream.add(facts);
    await startRecorder({ stream, databaseUrl: database.url, removals });
    await killed;
    await server.process.ended;
    await startAgain();
    const stopped = removals.next().then(() => server.stop());
    await Promise.all([eventually(() => stream.add(facts)), stopped.then(startAgain)]);
    await eventually(() => stream.length());
    await stream.untilEmpty();
    expect(await database.query(allRows)).toEqual(rows);
  });
});

describe('Redis with users whom nobody can read', () => {
  it('leaves no row open', async () => {
    const database = await temporaryDatabase();
    const stream = await Stream.open();
    const redis = await stream.pool.connect();
    const { users, away } = poolKeys(stream.pool.location);
    const { userA, userB, sessionId } = facts[0] as SessionFact;
    const foreign = { [userA]: '2 p gone 7 30 {}', [userB]: 'nonsense' };
    await redis.hset(users, foreign);
    await stream.add(facts.filter(fact => fact.sessionId === sessionId && fact.kind === 'started'));
    await startRecorder({ stream, databaseUrl: database.url, sweepEveryMs: 100 });
    await eventually(async () => expect(await redis.zcard(away)).toBe(2));
    expect(await database.query(allRows)).toMatchObject([{ id: sessionId, endReason: null }]);
    // Eleven minutes, in which nodes of this version alone are there.
    const store = new RedisPairStore(redis, stream.pool.location);
    for (let minute = 0; minute < 11; minute++) {
      for (const userId of [userA, userB]) {
        const score = await redis.zscore(away, userId);
        if (score !== null) await redis.zadd(away, 1 + (Number(score) % 1), userId);
      }
      await store.expire(10);
    }
    expect(await redis.exists(users)).toBe(0);
    await eventually(async () =>
      expect(await database.query(allRows)).toMatchObject([{ id: sessionId, endReason: 'lost' }]),
    );
  });
});

describe('Redis without its data', () => {
  it('leaves no row open', async () => {
    const database = await temporaryDatabase();
    const stream = await Stream.open();
    const { prefix } = stream.pool;
    const redis = await stream.pool.connect();
    const store = new RedisPairStore(redis, stream.pool.location);
    await startRecorder({ stream, databaseUrl: database.url, sweepEveryMs: 100 });
    await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
    const sessionId = '018f0000-0000-7000-8000-000000000001';
    await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 'none' });
    await store.search({ userId: 'bob', nodeId: 'n1', requestId: 2, revision: 0, sessionId });
    await stream.untilEmpty();
    const read = async () => database.query('SELECT id, "endReason", "messages" FROM "ChatSession"');
    expect(await read()).toEqual([{ id: sessionId, endReason: null, messages: null }]);
    await redis.del(...(await redis.keys(`${prefix}:*`)));
    await eventually(async () => expect(await read()).toEqual([{ id: sessionId, endReason: 'lost', messages: null }]));
  });
});
