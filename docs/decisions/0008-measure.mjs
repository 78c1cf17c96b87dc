// What the records of a hundred nodes cost Redis: each posts every 2 s and reads every 4 s. Needs an empty Redis.
//   REDIS_URL=redis://127.0.0.1:6400 node docs/decisions/0008-measure.mjs
import { setTimeout as delay } from 'node:timers/promises';
import { RedisOutbox, RedisStatusBoard } from '@passerby/redis';
import { Redis } from 'ioredis';

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const location = { prefix: 'measure-0008', pool: 'lobby' };
const key = name => `${location.prefix}:{${location.pool}}:${name}`;
const count = 100;
const seconds = 8;

const nodes = Array.from({ length: count }, (_, i) => {
  const redis = new Redis(url, { enableAutoPipelining: true });
  const board = new RedisStatusBoard(redis, location);
  return { nodeId: `node-${i}`, redis, board, outbox: new RedisOutbox(redis, location) };
});
const [{ redis }] = nodes;
const status = () => ({
  ...{ version: '0.1.0', startedAt: Date.now(), users: { idle: 300, waiting: 3, paired: 1700 }, sessions: 850 },
  ...{ matches: 1_234_567, messages: 123_456_789, rssBytes: 345_678_901, eventLoopDelayMs: 3.4, draining: false },
  errors: { TOO_MANY_MESSAGES: 1234, NOT_IN_CHAT: 12_345, UNAVAILABLE: 3, TOO_MANY_REQUESTS: 17 },
  waitsMs: Array.from({ length: 20 }, () => Math.round(Math.random() * 20_000)),
});
const post = ({ board, nodeId }) => board.postNode(nodeId, status());
const read = ({ board, outbox }) => Promise.all([board.read(), outbox.backlog()]);

/** In seconds. */
async function redisCpu() {
  const info = await redis.info('cpu');
  return [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].reduce((sum, [, each]) => sum + Number(each), 0);
}

/** @returns the CPU time of Redis and of this process, in seconds */
async function costs(work) {
  const [before, own] = [await redisCpu(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(own);
  return [(await redisCpu()) - before, (user + system) / 1e6];
}

for (const { nodeId } of nodes) await redis.zadd(key('leases'), Date.now() + 3_600_000, nodeId);
await Promise.all(nodes.map(post));
console.log(`the hash takes ${await redis.memory('USAGE', key('nodes'), 'SAMPLES', 0)} bytes`);

const jobs = Array.from({ length: seconds * count }, (_, n) => {
  const [node, second] = [nodes[n % count], Math.floor(n / count)];
  return {
    atMs: n * (1000 / count),
    work: second % 2 === 0 ? () => post(node) : second % 4 === 1 ? () => read(node) : undefined,
  };
});
for (let round = 0; round < 5; round++) {
  const [idle] = await costs(() => delay(seconds * 1000));
  const startedAt = performance.now();
  const [busy, own] = await costs(async () => {
    for (const { atMs, work } of jobs) {
      await delay(Math.max(0, startedAt + atMs - performance.now()));
      await work?.();
    }
  });
  const percent = value => `${((100 * value) / seconds).toFixed(2)} %`;
  console.log(`Redis ${percent(busy)} of a core (idle ${percent(idle)}); a node ${percent(own / count)}`);
}
for (const [name, work] of Object.entries({ post, read })) {
  for (let round = 0; round < 5; round++) {
    const [ofRedis, own] = await costs(async () => {
      for (let n = 0; n < 1000; n++) await work(nodes[n % count]);
    });
    console.log(`a ${name}: ${Math.round(ofRedis * 1000)} µs of Redis, ${Math.round(own * 1000)} µs of the node`);
  }
}
await redis.del(key('nodes'), key('leases'));
for (const node of nodes) node.redis.disconnect();
