import { readdir, readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import pg from 'pg';

/** What tests left behind, a line each: keys and connections in Redis, databases and connections in PostgreSQL, processes. */
export async function findLeftovers({ redisUrl, databaseUrl }: { redisUrl: string; databaseUrl: string }) {
  const found = await Promise.all([inRedis(redisUrl), inPostgres(databaseUrl), processes()]);
  return found.flat();
}

async function inRedis(url: string): Promise<string[]> {
  const redis = new Redis(url, { connectionName: 'leftovers' });
  try {
    const keys = await redis.keys('*');
    const clients = String(await redis.client('LIST'))
      .trim()
      .split('\n');
    return [
      ...keys.map(key => `the Redis key ${key}`),
      ...clients.filter(line => !line.includes('name=leftovers')).map(line => `the Redis connection ${line}`),
    ];
  } finally {
    redis.disconnect();
  }
}

async function inPostgres(url: string): Promise<string[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const databases = await client.query<{ datname: string }>(
      `SELECT datname FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', current_database())`,
    );
    const connections = await client.query<{ query: string }>(
      `SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    return [
      ...databases.rows.map(row => `the database ${row.datname}`),
      ...connections.rows.map(row => `a PostgreSQL connection whose last query was: ${row.query}`),
    ];
  } finally {
    await client.end();
  }
}

/** Processes that carry the mark of this run. Known only where there is a /proc. */
async function processes(): Promise<string[]> {
  const mark = `PASSERBY_TEST_PROCESS=${process.env.PASSERBY_TEST_RUN}`;
  const ids = await readdir('/proc').catch(() => []);
  const found: string[] = [];
  for (const id of ids.filter(name => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${id}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').includes(mark)) continue;
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    found.push(`the process ${id}: ${command.replaceAll('\0', ' ')}`);
  }
  return found;
}
