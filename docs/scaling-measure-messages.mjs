// What do messages between nodes cost Redis, and what do nodes cost it that do nothing? How large is a row in PostgreSQL?
//
//     npm run build && node docs/scaling-measure-messages.mjs
//
// It starts a Redis and a PostgreSQL of its own. ROUNDS (5). About four minutes.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresServer } from '../apps/cluster/dist/index.js';
import { Lease } from '../packages/core/dist/index.js';
import { applyMigrations, PrismaSessionLog } from '../packages/database/dist/index.js';
import { RedisNodeBus, RedisPairStore } from '../packages/redis/dist/index.js';
import { connect, costOf, location, log, readInfo, rounds, spread, withRedis } from './scaling-redis-costs.mjs';

// As the packages resolve them.
const { v7: uuid } = createRequire(new URL('../packages/core/package.json', import.meta.url))('uuid');
const { Client } = createRequire(new URL('../packages/database/package.json', import.meta.url))('pg');

async function startNode(url, nodeId) {
  const [redis, subscriber] = await Promise.all([connect(url, 'commands'), connect(url, 'subscriber')]);
  const bus = new RedisNodeBus(redis, subscriber, { prefix: location.prefix, log });
  return { nodeId, redis, subscriber, bus, close: () => [redis, subscriber].map(each => each.disconnect()) };
}

/** The bytes of one message as a node publishes it. */
async function encodedMessage(nodeId) {
  let published = [];
  const redis = {
    publish: async (...args) => {
      published = args;
      return 1;
    },
  };
  const bus = new RedisNodeBus(redis, { on() {} }, { prefix: location.prefix, log });
  const text = 'a message of sixty characters, as people write them in chats'.padEnd(60, '.');
  const message = { id: uuid(), message: text, at: Date.now() };
  await bus.send(nodeId, { kind: 'chat', userId: 'x'.repeat(20), sessionId: uuid(), message, order: 100 });
  const words = ['publish', ...published].map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${words.join('')}`);
}

/**
 * So many nodes publish so many messages a second, in all, to each other. A node sends together what it has for Redis once
 * in each turn of its event loop: each ms here. Bare sockets, so that the clients leave room for Redis.
 */
async function messages(url, count, perSecond) {
  const watch = await connect(url, 'watch');
  const ids = Array.from({ length: count }, (_, n) => `node${n}`.padEnd(8, '-'));
  const open = async () => {
    const socket = createConnection(Number(new URL(url).port), '127.0.0.1').resume();
    await once(socket, 'connect');
    return socket;
  };
  const encoded = await Promise.all(ids.map(encodedMessage));
  const publishers = await Promise.all(ids.map(open));
  const subscribers = await Promise.all(ids.map(open));
  for (const [n, socket] of subscribers.entries()) socket.write(`SUBSCRIBE ${location.prefix}:node:${ids[n]}\r\n`);
  await delay(100);
  const samples = [];
  for (let round = 0; round <= rounds; round++) {
    let sent = 0;
    const startedAt = performance.now();
    const before = await readInfo(watch);
    while (performance.now() - startedAt < 2000) {
      const due = ((performance.now() - startedAt) / 1000) * perSecond - sent;
      const batches = ids.map(() => []);
      for (let n = 0; n < due; n++) {
        batches[Math.floor(Math.random() * count)].push(encoded[Math.floor(Math.random() * count)]);
        sent++;
      }
      for (const [n, batch] of batches.entries()) if (batch.length > 0) publishers[n].write(Buffer.concat(batch));
      await delay(1);
    }
    await watch.ping();
    const seconds = (performance.now() - startedAt) / 1000;
    const after = await readInfo(watch);
    const each = name => (after[name] - before[name]) / sent;
    const figures = Object.fromEntries(Object.keys(after).map(name => [name, each(name)]));
    if (round > 0) samples.push({ ...figures, busy: (figures.cpuUs * sent) / 1e6 / seconds, rate: sent / seconds });
  }
  for (const socket of [...publishers, ...subscribers]) socket.destroy();
  watch.disconnect();
  const cell = (figure, digits) =>
    spread(
      samples.map(sample => sample[figure]),
      digits,
    );
  const calls = `${cell('reads', 2)} | ${cell('writes', 2)}`;
  const bytes = `${cell('netIn', 0)} | ${cell('netOut', 0)}`;
  console.log(`| ${count} | ${cell('rate', 0)} | ${cell('cpuUs', 1)} | ${cell('busy', 2)} | ${calls} | ${bytes} |`);
}

/** What nodes without any user cost Redis: their heartbeats, and the pings of their five connections. */
async function idleNodes(url, count) {
  const watch = await connect(url, 'watch');
  await watch.flushall('ASYNC');
  const quiet = await costOf(watch, 1, () => delay(4000));
  const nodes = [];
  for (let n = 0; n < count; n++) {
    const node = await startNode(url, '');
    const more = await Promise.all(['renewals', 'adapter', 'adapter-subscriber'].map(role => connect(url, role)));
    const store = new RedisPairStore(node.redis, location, { renewals: more[0] });
    const lease = new Lease({ store, leaseMs: 5000, graceMs: 30_000, log });
    await lease.start({ begin: async () => {}, renewed() {}, doubtful() {}, lost() {} });
    nodes.push({ node, more, lease });
  }
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    const cost = await costOf(watch, 1, () => delay(4000));
    samples.push((cost.cpuUs - quiet.cpuUs) / 4 / count);
  }
  await Promise.all(nodes.map(({ lease }) => lease.stop()));
  for (const { node, more } of nodes) {
    node.close();
    for (const each of more) each.disconnect();
  }
  watch.disconnect();
  console.log(`\n- a node without users: Redis CPU ${spread(samples, 0)} µs a second (${count} nodes, lease of 5 s)`);
}

async function rows(url, count) {
  await applyMigrations(url);
  const sessionLog = new PrismaSessionLog({ databaseUrl: url, pool: location.pool });
  const ids = Array.from({ length: count }, () => ({
    sessionId: uuid(),
    userA: `${uuid()}`.slice(0, 20),
    userB: `${uuid()}`.slice(0, 20),
  }));
  const startedAt = Date.now();
  for (let at = 0; at < count; at += 2000) {
    const batch = ids.slice(at, at + 2000);
    await sessionLog.write(batch.map(each => ({ kind: 'started', ...each, startedAt })));
    const ended = { kind: 'ended', startedAt, endedAt: startedAt + 180_000, endReason: 'skip', messages: 60 };
    await sessionLog.write(batch.map(each => ({ ...ended, ...each })));
  }
  await sessionLog.close();
  const client = new Client(url);
  await client.connect();
  const bytes = async () => {
    const { rows: sizes } = await client.query(`SELECT pg_total_relation_size('"ChatSession"') AS bytes`);
    return (Number(sizes[0].bytes) / count).toFixed(0);
  };
  const written = await bytes();
  await client.query('VACUUM FULL "ChatSession"');
  console.log(`- a row in PostgreSQL, indexes included: ${written} bytes as written, ${await bytes()} packed`);
  await client.end();
}

await withRedis(async (url, dir) => {
  console.log('| nodes | messages/s | Redis CPU µs | of a core | reads | writes | bytes to Redis | bytes from Redis |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const count of [4, 16, 64]) for (const rate of [5000, 20_000, 80_000]) await messages(url, count, rate);
  await idleNodes(url, 64);
  const postgres = await PostgresServer.start({ dir: join(dir, 'postgres'), fast: true });
  await rows(postgres.url, 100_000).finally(() => postgres.stop());
});
