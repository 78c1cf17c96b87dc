import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { RedisPairStore } from '../src/index.ts';

let pool: RedisPool;

beforeEach(() => {
  pool = new RedisPool();
});

afterEach(() => pool.close());

it('a renewal with a connection of its own does not wait for what waits on the other one', async () => {
  const [redis, renewals] = [await pool.connect(), await pool.connect()];
  const store = new RedisPairStore(redis, pool.location, { renewals });
  // Redis carries out nothing else of this connection meanwhile.
  const blocking = redis.blpop(`${pool.prefix}:nothing`, 0);
  const search = store.search({ userId: 'ann', nodeId: 'n1', requestId: 1, revision: 0, sessionId: 's' });
  const order: string[] = [];
  const outcomes = [blocking.then(() => order.push('blocking')), search.then(() => order.push('search'))];
  const { epoch } = await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
  expect(await store.renewLease({ nodeId: 'n1', leaseMs: 60_000, epoch })).toMatchObject({ epoch });
  expect(order).toEqual([]);
  await renewals.rpush(`${pool.prefix}:nothing`, 'go on');
  await Promise.all(outcomes);
  expect(order.sort()).toEqual(['blocking', 'search']);
  await store.leave({ userId: 'ann', nodeId: 'n1', requestId: 2, reason: 'end', messages: 0, forget: true });
  await store.releaseLease('n1');
  await store.reap({ nodeId: 'n1', limit: 10, graceMs: 0 });
});

it('a renewal that gets no answer ends its own connection, and not the other one', async () => {
  const [redis, renewals] = [await pool.connect(), await pool.connect({ commandTimeoutMs: 100 })];
  const store = new RedisPairStore(redis, pool.location, { renewals });
  const ids = async () => [await redis.client('ID'), await renewals.client('ID')];
  const [commandsId, renewalsId] = await ids();
  const ended = new Promise(resolve => renewals.once('close', resolve));
  const again = new Promise(resolve => renewals.once('close', () => renewals.once('ready', resolve)));
  renewals.blpop(`${pool.prefix}:nothing`, 0).catch(() => undefined);
  await expect(store.renewLease({ nodeId: 'n1', leaseMs: 60_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await ended;
  await again;
  expect((await ids())[0]).toBe(commandsId);
  expect((await ids())[1]).not.toBe(renewalsId);
});
