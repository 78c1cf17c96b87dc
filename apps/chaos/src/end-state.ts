import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import pg from 'pg';
import type { EndState, SessionRow } from './history.ts';
import { livingNodeIds } from './logs.ts';
import type { World } from './world.ts';

/** Keys that are there as long as a node or the recorder is. */
const lasting = /:(leases|epoch|nodes|recorder)$/;

/**
 * What is left in Redis and PostgreSQL when all clients are gone. Waits, up to `withinMs`, until nothing is left that should
 * not be.
 */
export async function readEndState(world: World, withinMs: number): Promise<Omit<EndState, 'leasesLeft'>> {
  const redis = world.connectRedis();
  const postgres = new pg.Client({ connectionString: world.databaseUrl, query_timeout: 60_000 });
  await postgres.connect();
  try {
    const giveUpAt = performance.now() + withinMs;
    let keys = await contents(redis);
    while ((keys.length > 0 || (await hasOpenRows(postgres))) && performance.now() < giveUpAt) {
      await delay(250);
      keys = await contents(redis);
    }
    const nodes = await livingNodeIds(world);
    return { rows: await readRows(postgres), keys, leases: await leasesIn(redis), nodes: nodes.toSorted() };
  } finally {
    redis.disconnect();
    await postgres.end();
  }
}

/** The nodes that hold a lease. */
export async function readLeases(world: World): Promise<string[]> {
  const redis = world.connectRedis();
  return leasesIn(redis).finally(() => redis.disconnect());
}

async function leasesIn(redis: Redis): Promise<string[]> {
  const leases = await Promise.all((await redis.keys('*:leases')).map(key => redis.zrange(key, '0', '-1')));
  return leases.flat().toSorted();
}

/** A line for each key that holds something. */
async function contents(redis: Redis): Promise<string[]> {
  const keys = (await redis.keys('*')).filter(key => !lasting.test(key)).toSorted();
  const lines = await Promise.all(keys.map(key => describe(redis, key)));
  return lines.filter(line => line !== undefined);
}

async function describe(redis: Redis, key: string): Promise<string | undefined> {
  const type = await redis.type(key);
  const count = { hash: 'hlen', zset: 'zcard', set: 'scard', stream: 'xlen', list: 'llen' }[type];
  if (count === undefined) return type === 'none' ? undefined : `${key}: ${await redis.get(key)}`;
  const size = Number(await redis.call(count, key));
  if (size === 0) return undefined;
  const sample = type === 'hash' ? await redis.hrandfield(key, '2', 'WITHVALUES') : '';
  return `${key}: ${size} in a ${type}${sample === '' ? '' : `, such as ${JSON.stringify(sample)}`}`;
}

async function hasOpenRows(postgres: pg.Client): Promise<boolean> {
  const { rows } = await postgres.query('SELECT 1 FROM "ChatSession" WHERE "endedAt" IS NULL LIMIT 1');
  return rows.length > 0;
}

async function readRows(postgres: pg.Client): Promise<SessionRow[]> {
  const { rows } = await postgres.query<
    Omit<SessionRow, 'startedAt' | 'endedAt'> & { startedAt: Date; endedAt: Date | null }
  >('SELECT "id", "userA", "userB", "startedAt", "endedAt", "endReason" FROM "ChatSession"');
  return rows.map(row => ({
    ...row,
    startedAt: row.startedAt.getTime(),
    endedAt: row.endedAt === null ? null : row.endedAt.getTime(),
  }));
}
