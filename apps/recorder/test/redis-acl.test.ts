import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { applyMigrations } from '@passerby/database';
import { connectRedis, RedisPairRegistry, RedisPairStore, whenReady } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { createTemporaryDatabase, type TemporaryDatabase } from '../../../packages/database/test/temporary-database.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { RecorderProcess, retryRefused } from './recorder-process.ts';

const username = `test-${randomBytes(6).toString('hex')}`;

let database: TemporaryDatabase;
let pool: RedisPool;
let redis: Redis;
let asRecorder: { url: string; prefix: string };

/** What docs/production.md tells operators to allow, for the names of this test. */
async function documentedRules(): Promise<string[]> {
  const text = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
  const [, rules = ''] = /^ +ACL SETUSER passerby-recorder (.*)$/m.exec(text) ?? [];
  return rules.replaceAll('passerby:', `${pool.prefix}:`).replace('PASSWORD', 'secret').split(' ');
}

/** What Redis did not let the recorder do, but for telling the name of its library, which no one needs to allow. */
async function denied(): Promise<object[]> {
  const entries = (await redis.acl('LOG')) as string[][];
  const named = entries.map(fields => Object.fromEntries(fields.map((text, i) => [text, fields[i + 1]])));
  return named.filter(entry => entry.username === username && entry.object !== 'client|setinfo');
}

beforeAll(async () => {
  database = await createTemporaryDatabase();
  await applyMigrations(database.url);
  pool = new RedisPool();
  redis = await pool.connect();
  await redis.acl('SETUSER', username, ...(await documentedRules()));
  const url = new URL(pool.url);
  url.username = username;
  url.password = 'secret';
  asRecorder = { url: url.href, prefix: pool.prefix };
});

afterAll(async () => {
  await redis.acl('DELUSER', username);
  await pool.close();
  await database.drop();
});

it('lets a recorder do all that it does, with the rights that the docs ask for', async () => {
  const store = new RedisPairStore(await pool.connect(), pool.location);
  await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
  await store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: crypto.randomUUID() });
  await store.search({ userId: 'bob', nodeId: 'n1', requestId: 2, revision: 0, sessionId: crypto.randomUUID() });
  await redis.xadd(`${pool.prefix}:{lobby}:outbox`, '*', 'nobody', 'reads this');

  const recorder = await RecorderProcess.start(asRecorder, database.url);
  const rows = () => database.query('SELECT 1 FROM "ChatSession"');
  await eventually(async () => expect(await rows()).toHaveLength(1));
  await eventually(async () => expect(await redis.xlen(`${pool.prefix}:{lobby}:refused`)).toBe(1));
  await eventually(async () => expect(await redis.exists(`${pool.prefix}:{lobby}:recorder`)).toBe(1));
  expect(await recorder.end('SIGTERM')).toBe(0);
  expect(await redis.exists(`${pool.prefix}:{lobby}:recorder`)).toBe(0);
  expect(await retryRefused(asRecorder, database.url)).toContain('Put 1 facts');

  const silent = { info: () => undefined, warn: () => undefined };
  const connection = connectRedis({ url: asRecorder.url, role: 'test', log: silent });
  await whenReady(connection, 5000);
  const registry = new RedisPairRegistry(connection, pool.location);
  const session = { kind: 'started', sessionId: 'none', userA: 'ann', userB: 'bob', startedAt: 1 } as const;
  expect(await registry.areAlive([session])).toEqual([false]);
  await redis.del(`${pool.prefix}:{lobby}:leases`);
  expect(await registry.adoptStrays('0')).toBe('0');
  expect(await redis.zcard(`${pool.prefix}:{lobby}:away`)).toBe(2);
  expect(await denied()).toEqual([]);

  await redis.del(...['users', 'away', 'members:n1'].map(name => `${pool.prefix}:{lobby}:${name}`));
  connection.disconnect();
});
