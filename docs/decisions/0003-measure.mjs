// How fast does a recorder work off what the pairing scripts have left in the outbox, and how much memory does that take?
//
//     npm run build && node docs/decisions/0003-measure.mjs
//
// It starts a Redis and a PostgreSQL of its own, both writing to disk, and puts a million old rows into the table. Then,
// in each round and for each batch size: the scripts pair and part USERS users (20,000) as fast as they can, 200 commands
// at a time, until FACTS facts (100,000) wait; then the recorder empties the outbox. A session's end comes some 20,000
// facts after its beginning, so that the two are in different batches. It takes about six minutes. ROUNDS (5) and
// BATCH_SIZES (500,1000,2000,5000) may be set, too.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresServer, RedisServer } from '../../apps/cluster/dist/index.js';
import { Metrics } from '../../apps/recorder/dist/metrics.js';
import { Recorder } from '../../apps/recorder/dist/recorder.js';
import { Sweeper } from '../../apps/recorder/dist/sweeper.js';
import { applyMigrations, PrismaSessionLog } from '../../packages/database/dist/index.js';
import {
  connectRedis,
  RedisOutbox,
  RedisPairRegistry,
  RedisPairStore,
  whenReady,
} from '../../packages/redis/dist/index.js';

// As the recorder and the chat node resolve them.
const { pino } = createRequire(new URL('../../apps/recorder/package.json', import.meta.url))('pino');
const { v7: uuid } = createRequire(new URL('../../apps/chat-node/package.json', import.meta.url))('uuid');
const { Client } = createRequire(new URL('../../packages/database/package.json', import.meta.url))('pg');

const { USERS = '20000', FACTS = '100000', ROUNDS = '5', BATCH_SIZES = '500,1000,2000,5000' } = process.env;
const batchSizes = BATCH_SIZES.split(',').map(Number);
const location = { prefix: 'measure', pool: 'lobby' };
const log = pino({ level: 'silent' });

/** The users of the pool, who do nothing but search and skip. */
class Users {
  #users = Array.from({ length: Number(USERS) }, (_, n) => ({ userId: `user-${n}-`.padEnd(20, 'x'), sessionId: '' }));
  #requests = 0;
  #next = 0;
  #store;

  constructor(store) {
    this.#store = store;
  }

  /** Gives `count` commands, 200 at a time. */
  async command(count) {
    let left = count;
    const one = async () => {
      while (left-- > 0) {
        const user = this.#users[this.#next++ % this.#users.length];
        const skip = { sessionId: user.sessionId, messages: 12 };
        const ids = { userId: user.userId, nodeId: 'n1', requestId: ++this.#requests, revision: 0, sessionId: uuid() };
        const [change] = await this.#store.search({ ...ids, ...(user.sessionId && { skip }) });
        user.sessionId = change.session?.sessionId ?? '';
      }
    };
    await Promise.all(Array.from({ length: 200 }, one));
  }
}

async function measure(parts, batchSize) {
  const { users, outbox, redis, newRecorder } = parts;
  const usedBefore = await usedMemory(redis);
  const producing = performance.now();
  let waiting = 0;
  while (waiting < Number(FACTS)) {
    await users.command(5_000);
    waiting = (await outbox.backlog()).length;
  }
  const producedPerSecond = waiting / seconds(producing);
  const bytes = ((await usedMemory(redis)) - usedBefore) / waiting;

  const { recorder, close } = newRecorder(batchSize);
  const cpuBefore = process.cpuUsage();
  const recording = performance.now();
  recorder.start();
  while ((await outbox.backlog()).length > 0) await delay(10);
  const recordedPerSecond = waiting / seconds(recording);
  const { user, system } = process.cpuUsage(cpuBefore);
  await recorder.stop();
  await close();
  return { producedPerSecond, recordedPerSecond, cpu: (user + system) / waiting, bytes };
}

function seconds(since) {
  return (performance.now() - since) / 1_000;
}

async function usedMemory(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1]);
}

/** Median (minimum–maximum). */
function spread(values, digits = 0) {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, min, max] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map(value => value.toFixed(digits));
  return `${median} (${min}–${max})`;
}

async function main(redisUrl, databaseUrl) {
  await applyMigrations(databaseUrl);
  const client = new Client(databaseUrl);
  await client.connect();
  await client.query(`INSERT INTO "ChatSession" ("id", "pool", "userA", "userB", "startedAt", "endedAt")
    SELECT gen_random_uuid(), 'lobby', 'old-a' || n, 'old-b' || n, now(), now() FROM generate_series(1, 1000000) n`);
  await client.query('VACUUM ANALYZE');

  const connect = async role => {
    const redis = connectRedis({ url: redisUrl, role, log });
    await whenReady(redis, 10_000);
    return redis;
  };
  const redis = await connect('measure');
  const outbox = new RedisOutbox(await connect('watch'), location);
  const recorderRedis = await connect('recorder');
  const store = new RedisPairStore(redis, location);
  await store.renewLease({ nodeId: 'n1', leaseMs: 3_600_000 });
  const users = new Users(store);
  await users.command(2 * Number(USERS));

  const newRecorder = batchSize => {
    const sessionLog = new PrismaSessionLog({ databaseUrl, pool: location.pool });
    const registry = new RedisPairRegistry(recorderRedis, location);
    const sweeper = new Sweeper({ sessionLog, registry, sweepEveryMs: 3_600_000 });
    const ports = { outbox: new RedisOutbox(recorderRedis, location), sessionLog, sweeper };
    const settings = { pool: location.pool, batchSize, highWater: 1e9, metrics: new Metrics(), log };
    return { recorder: new Recorder({ ...ports, ...settings }), close: () => sessionLog.close() };
  };

  const parts = { users, outbox, redis, newRecorder };
  await measure(parts, batchSizes.at(-1)); // Warm-up.
  const results = new Map(batchSizes.map(size => [size, []]));
  for (let round = 0; round < Number(ROUNDS); round++) {
    // Every round starts with another size, so that none always comes first.
    const first = round % batchSizes.length;
    for (const size of [...batchSizes.slice(first), ...batchSizes.slice(0, first)]) {
      results.get(size).push(await measure(parts, size));
    }
    console.error(`round ${round + 1} of ${ROUNDS} done`);
  }

  const [{ version }] = (await client.query('SHOW server_version')).rows.map(row => ({ version: row.server_version }));
  const redisVersion = /redis_version:(\S+)/.exec(await redis.info('server'))[1];
  const machine = `${os.cpus().length} × ${os.cpus()[0].model}, Node ${process.version}`;
  console.log(`${machine}, Redis ${redisVersion}, PostgreSQL ${version}; ${FACTS} facts, ${ROUNDS} rounds\n`);
  console.log('| batch | facts/s, scripts | facts/s, recorder | ratio | recorder CPU µs per fact |');
  console.log('| ----- | ---------------- | ----------------- | ----- | ------------------------ |');
  for (const [size, runs] of results) {
    const column = (value, digits) => spread(runs.map(value), digits);
    const ratio = column(run => run.recordedPerSecond / run.producedPerSecond, 2);
    const rates = [column(run => run.producedPerSecond), column(run => run.recordedPerSecond)];
    console.log(`| ${[size, ...rates, ratio, column(run => run.cpu)].join(' | ')} |`);
  }
  const bytes = [...results.values()].flat().map(run => run.bytes);
  console.log(`\nMemory of Redis for each fact that waits: ${spread(bytes)} bytes.`);
  await client.end();
}

const dir = await mkdtemp(join(os.tmpdir(), 'passerby-measure-'));
const redisServer = await RedisServer.start({ dir: join(dir, 'redis'), persistent: true });
const postgresServer = await PostgresServer.start({ dir: join(dir, 'postgres') });
try {
  await main(redisServer.url, postgresServer.url);
} finally {
  await Promise.all([redisServer.stop(), postgresServer.stop()]);
  await rm(dir, { recursive: true });
  process.exit();
}
