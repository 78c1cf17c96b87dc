import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgresServer, RedisServer } from '../../apps/cluster/src/index.ts';

export interface TestServers {
  dir: string;
  redis: RedisServer;
  postgres: PostgresServer;
}

declare global {
  var testServers: TestServers | undefined;
}

/** Starts one Redis and one PostgreSQL for the whole run, on free ports. */
export default async function setUp(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'passerby-test-'));
  const [redis, postgres] = await Promise.all([
    RedisServer.start({ dir: join(dir, 'redis') }),
    PostgresServer.start({ dir: join(dir, 'postgres'), fast: true }),
  ]);
  globalThis.testServers = { dir, redis, postgres };
  process.env.TEST_REDIS_URL = redis.url;
  process.env.TEST_DATABASE_URL = postgres.url;
  // Every process that a test starts carries this, so that the end of the run can find those that are left.
  process.env.PASSERBY_TEST_RUN = `${process.pid}-${Date.now()}`;
}
