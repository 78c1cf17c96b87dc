import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from '@passerby/cluster';
import type { Redis } from 'ioredis';
import { connect } from './connect.ts';
import { metered } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type MatchProcess, startMatcher } from './match-process.ts';
import type { Bench, Scenario } from './scenario.ts';

/** How many users are present. */
const few = 1_000;
const many = 1_000_000;
/** How many of them are in no chat, how many of these search in one go, and how often that is done in each round. */
const idleUsers = 400;
const searching = 200;
const goes = 25;
const remembered = 100_000;
/** The users live on so many nodes. */
const nodes = 5;

/** A Redis that holds a registry. */
interface Registry {
  server: RedisServer;
  redis: Redis;
  worker: MatchProcess;
  /** Of Redis, for each user, without the outbox. */
  bytesPerUser: number;
}

/** Searches in a registry of few users and in one of very many. */
export const search: Scenario = async bench => {
  const present = Math.max(few, many * bench.scale);
  const small = await registryOf(bench, few - idleUsers);
  const startedAt = performance.now();
  const large = await registryOf(bench, present - idleUsers);
  bench.say(`${present} users are present, after ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`);
  try {
    const times = Math.max(2, goes * bench.scale);
    const [inSmall = [], inLarge = []] = await inRounds(bench, [
      () => searchIn(small, times),
      () => searchIn(large, times),
    ]);
    const all = (turns: typeof inSmall) => turns.map(({ cpuUs }) => cpuUs);
    const scripts = (turns: typeof inSmall) => turns.map(({ scriptUs }) => scriptUs);
    const users = (count: number) => `${count.toLocaleString('en-US')} present`;
    return [
      {
        ...{ what: `search, CPU of Redis, ${users(few)}`, unit: 'µs', ours: all(inSmall) },
        goal: { of: 'ours', atMost: 25 },
      },
      {
        ...{ what: `search, CPU of Redis, ${users(present)}`, unit: 'µs', ours: all(inLarge) },
        ...{ other: { name: users(few), values: all(inSmall) }, goal: { of: 'ratio', atMost: 1.3 } },
      },
      {
        ...{ what: `search, the script by the clock of Redis, ${users(present)}`, unit: 'µs', ours: scripts(inLarge) },
        other: { name: users(few), values: scripts(inSmall) },
      },
      { what: `memory of Redis for a paired user, ${users(present)}`, unit: 'bytes', ours: [large.bytesPerUser] },
    ];
  } finally {
    await Promise.all([close(small), close(large)]);
  }
};

/** What Redis keeps for users who are in chats. */
export const redisMemory: Scenario = async bench => {
  const count = remembered * bench.scale;
  const plain = await registryOf(bench, count);
  const resuming = await registryOf(bench, count, true);
  await Promise.all([close(plain), close(resuming)]);
  const goal = { of: 'ours', atMost: 300 } as const;
  return [
    { what: 'memory of Redis for a paired user, plain', unit: 'bytes', ours: [plain.bytesPerUser], goal },
    { what: 'memory of Redis for a paired user, resuming', unit: 'bytes', ours: [resuming.bytesPerUser], goal },
  ];
};

/** A Redis in which the real scripts have paired so many users. No recorder empties its outbox: that is done here. */
async function registryOf(bench: Bench, users: number, resuming = false): Promise<Registry> {
  const server = await bench.servers.redis();
  const worker = startMatcher();
  await worker.tell('startPasserby', { redisUrl: server.url, nodes, resuming, idleUsers });
  const redis = connect(server.url);
  const before = await infoOf(redis, 'memory', 'used_memory');
  const batch = 50_000;
  for (let filled = 0; filled < users; filled += batch) {
    await worker.tell('fill', { count: Math.min(batch, users - filled) });
    await redis.del('passerby:{lobby}:outbox');
  }
  await untilQuiet(redis);
  return { server, redis, worker, bytesPerUser: ((await infoOf(redis, 'memory', 'used_memory')) - before) / users };
}

/** Redis rewrites its file and its tables in the background, which must not be counted as what a search costs. */
async function untilQuiet(redis: Redis): Promise<void> {
  while ((await infoOf(redis, 'persistence', 'aof_rewrite_in_progress')) > 0) await delay(100);
}

async function searchIn(
  { server, redis, worker }: Registry,
  times: number,
): Promise<{ cpuUs: number; scriptUs: number }> {
  const pid = server.process.pid ?? Number.NaN;
  let cpuUs = 0;
  let scriptUs = 0;
  for (let time = 0; time < times; time++) {
    const scriptsBefore = await scriptTimeUs(redis);
    const used = await metered({ redis: [pid] }, () => worker.tell('search', { count: searching }));
    scriptUs += (await scriptTimeUs(redis)) - scriptsBefore;
    cpuUs += used.cpuUs.redis;
    await worker.tell('endAll');
    await redis.del('passerby:{lobby}:outbox');
  }
  return { cpuUs: cpuUs / times / searching, scriptUs: scriptUs / times / searching };
}

async function scriptTimeUs(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)/g)].reduce((sum, [, us]) => sum + Number(us), 0);
}

async function infoOf(redis: Redis, section: string, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info(section))?.[1]);
}

async function close({ redis, worker }: Registry): Promise<void> {
  redis.disconnect();
  await worker.stop();
}
