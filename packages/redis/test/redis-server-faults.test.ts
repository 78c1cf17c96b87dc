import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '../../../apps/cluster/src/index.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { knownFrom, leaseMs, StoreCommands } from '../../core/test/store-commands.ts';
import { poolKeys } from '../src/keys.ts';
import { type RedisStoreBench, redisStoreBench } from './redis-store-bench.ts';

/* A Redis of their own, which these tests may fill, demote and stop. */
describe('when a Redis', () => {
  let dir: string;
  let server: RedisServer;
  let bench: RedisStoreBench;
  let on: StoreCommands;
  let epoch: string;

  const reap = (nodeId: string) => on.store.reap({ nodeId, limit: 100, graceMs: 0 });
  const renew = () => on.store.renewLease({ nodeId: 'n1', leaseMs, epoch });
  /** All that the pool holds, in an order of its own. */
  const registry = async (redis = bench.redis) => {
    const { users, queue, away, members, outbox } = poolKeys(bench.pool.location);
    return {
      users: await redis.hgetall(users),
      queue: await redis.zrange(queue, '0', '-1'),
      away: await redis.zrange(away, '0', '-1'),
      members: (await redis.smembers(members('n1'))).sort(),
      facts: await redis.xlen(outbox),
    };
  };
  const unavailable = (message: RegExp) => ({
    ...{ code: 'UNAVAILABLE', retryAfterMs: 1000 },
    cause: expect.objectContaining({ message: expect.stringMatching(message) }),
  });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'passerby-faults-'));
    server = await RedisServer.start({ dir });
  });

  afterAll(async () => {
    await server.stop();
    await rm(dir, { recursive: true });
  });

  beforeEach(async () => {
    on = await StoreCommands.open(async () => {
      bench = await redisStoreBench(server.url);
      return bench;
    });
    ({ epoch } = await on.register('n1'));
  });

  afterEach(() => on.close());

  describe('is full', () => {
    beforeEach(() => bench.redis.config('SET', 'maxmemory', 0));
    afterEach(() => bench.redis.config('SET', 'maxmemory', 0));
    const fill = () => bench.redis.config('SET', 'maxmemory', 1);

    it('refuses a search before it has done anything', async () => {
      await on.search('bob');
      await on.leave('bob');
      await on.search('ann');
      const sessionId = await on.pair('cat', 'dan');
      const before = await registry();
      await fill();
      await expect(on.search('eve')).rejects.toMatchObject(unavailable(/^OOM /));
      // These two have an entry: what they would do first makes no data grow.
      await expect(on.search('bob')).rejects.toMatchObject(unavailable(/^OOM /));
      await expect(on.search('cat', 'n1', { skip: { sessionId, messages: 0 } })).rejects.toMatchObject(
        unavailable(/^OOM /),
      );
      expect(await registry()).toEqual(before);
    });

    it('does all that makes room, and keeps the leases', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.pair('cat', 'dan');
      await on.searchResumable('eve', 'n1');
      await on.suspend('eve');
      await fill();
      expect(await on.suspend('ann')).toMatchObject([{ userId: 'ann', state: 'away' }]);
      const resumed = await on.resume('ann', 'n3', 'ann-0', 'ann-1');
      expect(resumed?.changes[0]).toMatchObject({ state: 'paired', session: { sessionId } });
      const known = knownFrom((await on.store.sync('n3', [knownFrom(resumed?.changes[0], { requestId: 9 })]))[0], {
        requestId: 9,
      });
      expect(known).toMatchObject({ state: 'paired' });
      expect(await on.leave('bob', 'n2', { forget: true })).toMatchObject([{ userId: 'bob', state: 'idle' }]);
      expect(await renew()).toMatchObject({ epoch, due: 1 });
      expect(await on.store.expire(10)).toBe(0);
      await on.store.disown('n2', ['dan'], 0);
      await on.store.releaseLease('n1');
      expect(await reap('n1')).toBe(0);
      expect((await registry()).users).toEqual({ ann: expect.stringMatching(/^1 i n3 /) });
    });
  });

  it('became a replica, refuses what would write, connects again, and goes on once it is a primary', async () => {
    await on.pairResumable('ann', 'bob');
    const before = await registry();
    let connections = 0;
    bench.redis.on('connect', () => connections++);
    const admin = await bench.pool.connect();
    await admin.replicaof('127.0.0.1', 1);
    // A connection that comes back too late for the last attempt is the other way in which this may end.
    const refused = { code: 'UNAVAILABLE', retryAfterMs: 1000 };
    await expect(renew()).rejects.toMatchObject(unavailable(/^READONLY /));
    await expect(on.leave('ann')).rejects.toMatchObject(refused);
    await expect(on.search('cat')).rejects.toMatchObject(refused);
    await eventually(() => expect(connections).toBeGreaterThan(0));
    await admin.replicaof('NO', 'ONE');
    expect(await registry(admin)).toEqual(before);
    await eventually(async () => expect(await renew()).toMatchObject({ epoch }));
    expect(await on.leave('ann')).toMatchObject([{ userId: 'ann', state: 'idle' }]);
  });

  it('became a replica, ends the connection once, however many commands it refuses at the same time', async () => {
    const admin = await bench.pool.connect();
    await admin.replicaof('127.0.0.1', 1);
    const disconnect = jest.spyOn(bench.redis, 'disconnect');
    const ended = new Promise<void>(resolve => bench.redis.once('close', resolve));
    const written = await Promise.allSettled(
      Array.from({ length: 20 }, () => bench.redis.set(bench.pool.location.prefix, '')),
    );
    await ended;
    await admin.replicaof('NO', 'ONE');
    const refused = {
      status: 'rejected',
      reason: expect.objectContaining({ message: expect.stringMatching(/^READONLY /) }),
    };
    expect(written).toEqual(written.map(() => refused));
    expect(disconnect).toHaveBeenCalledTimes(1);
  });

  it('becomes a primary in time, carries out a command that was refused at first', async () => {
    await on.search('ann');
    const admin = await bench.pool.connect();
    await admin.replicaof('127.0.0.1', 1);
    const refused = new Promise<void>(resolve => bench.redis.once('close', resolve));
    const changes = on.leave('ann');
    await refused;
    await admin.replicaof('NO', 'ONE');
    expect(await changes).toMatchObject([{ userId: 'ann', state: 'idle' }]);
  });

  describe('is stopped and goes on', () => {
    const signal = (name: 'SIGSTOP' | 'SIGCONT') => process.kill(server.process.pid ?? Number.NaN, name);
    afterEach(() => signal('SIGCONT'));

    it('does nothing that was asked too long ago, and knows the leases', async () => {
      const sessionId = await on.pairResumable('ann', 'bob');
      await on.searchResumable('cat');
      await on.suspend('cat');
      const before = await registry();
      signal('SIGSTOP');
      const refused = await Promise.allSettled([
        on.search('ann', 'n1', { skip: { sessionId, messages: 0 } }),
        on.search('dan'),
        on.leave('bob', 'n2', { forget: true }),
        on.suspend('ann'),
        on.resume('cat', 'n1', 'cat-0', 'cat-1'),
        on.store.expire(10),
        on.store.disown('n2', ['bob'], 0),
        on.store.sync('n1', [{ userId: 'eve', revision: 3, requestId: 3, state: 'waiting' }]),
        reap('n1'),
        renew(),
      ]);
      for (const each of refused) expect(each).toMatchObject({ reason: { code: 'UNAVAILABLE' } });
      // By then, what was given up is not carried out any more.
      await delay(on.store.settleMs);
      signal('SIGCONT');
      const other = await bench.pool.connect();
      await other.ping();
      await eventually(() => bench.redis.ping());
      expect(await registry(other)).toEqual(before);
      expect(await renew()).toMatchObject({ epoch, lapsed: [] });
      expect(await on.leave('bob', 'n2')).toMatchObject([{ userId: 'bob', state: 'idle' }]);
    });

    it('prolongs a lease that lapsed meanwhile', async () => {
      await on.search('ann');
      await on.store.renewLease({ nodeId: 'n1', leaseMs: 500, epoch });
      signal('SIGSTOP');
      await expect(on.search('bob')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      signal('SIGCONT');
      expect(await eventually(() => renew())).toMatchObject({ epoch, lapsed: [] });
      expect((await on.search('bob', 'n2'))[0]).toMatchObject({ session: { partnerId: 'ann' } });
    });
  });
});
