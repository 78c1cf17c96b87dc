import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisServer } from '../../../apps/cluster/src/index.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { RedisPairStore } from '../src/index.ts';

let dir: string;
let server: RedisServer;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'passerby-redis-'));
  server = await RedisServer.start({ dir });
});

afterEach(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

it('a heartbeat that gets no answer ends its connection, and the next one works', async () => {
  const pool = new RedisPool(server.url);
  const redis = await pool.connect({ commandTimeoutMs: 300 });
  const store = new RedisPairStore(redis, pool.location);
  const { epoch } = await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
  const before = await redis.client('ID');
  const { pid } = server.process;
  if (pid === undefined) throw new Error('Redis does not run.');
  process.kill(pid, 'SIGSTOP');
  const closed = once(redis, 'close');
  try {
    await expect(store.renewLease({ nodeId: 'n1', leaseMs: 60_000, epoch })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await closed;
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await once(redis, 'ready');
  expect(await redis.client('ID')).not.toBe(before);
  expect(await store.renewLease({ nodeId: 'n1', leaseMs: 60_000, epoch })).toMatchObject({ epoch });
  await pool.close();
});
