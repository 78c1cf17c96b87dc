import type { Redis } from 'ioredis';
import { knownFrom, StoreCommands } from '../../core/test/store-commands.ts';
import { RedisPairRegistry } from '../src/index.ts';
import { poolKeys } from '../src/keys.ts';
import { type RedisStoreBench, redisStoreBench } from './redis-store-bench.ts';

/* Nodes of two versions run side by side while a new one is rolled out. */
describe('an entry', () => {
  let bench: RedisStoreBench;
  let on: StoreCommands;
  let redis: Redis;
  let keys: ReturnType<typeof poolKeys>;

  beforeEach(async () => {
    on = await StoreCommands.open(async () => {
      bench = await redisStoreBench();
      return bench;
    });
    ({ redis } = bench);
    keys = poolKeys(bench.pool.location);
  });

  afterEach(() => on.close());

  describe('of a later version, with fields behind those of this one', () => {
    const later = ' of a later version';
    const add = async (userId: string) => redis.hset(keys.users, userId, (await entryOf(userId)) + later);
    const entryOf = (userId: string) => redis.hget(keys.users, userId);

    it('keeps them, whatever is written', async () => {
      await on.searchResumable('ann');
      await on.searchResumable('bob', 'n2');
      await add('ann');
      await add('bob');
      await on.suspend('ann');
      await on.resume('ann', 'n1', 'ann-0', 'ann-1');
      const known = knownFrom((await on.search('ann'))[0], { requestId: 50, token: 'ann-1', revision: 20 });
      await on.store.sync('n1', [known]);
      await on.store.disown('n1', ['ann'], 1);
      await on.leave('bob', 'n2');
      await on.search('bob', 'n2');
      await on.lapse('n2');
      await on.store.reap({ nodeId: 'n2', limit: 10, graceMs: 0 });
      expect(await entryOf('ann')).toMatch(/ ann-1 - of a later version$/);
      expect(await entryOf('bob')).toMatch(/ bob-0 - of a later version$/);
    });
  });

  describe('of another version, in another format', () => {
    const entry = '2 w later 7 30 {"whatever":"it holds"}';
    const awayEntry = '2 w - 7 30 {"whatever":"it holds"}';

    /** What a node of that version would have left of a user who waits. */
    const addForeign = async (nodeId: string) => {
      await redis.hset(keys.users, 'eve', nodeId === '-' ? awayEntry : entry);
      if (nodeId === '-') await redis.zadd(keys.away, 1, 'eve');
      else {
        await redis.sadd(keys.members(nodeId), 'eve');
        await redis.zadd(keys.queue, 1, 'eve');
      }
    };
    const removeForeign = async () => {
      await redis.hdel(keys.users, 'eve');
      await redis.zrem(keys.away, 'eve');
      await redis.zrem(keys.queue, 'eve');
      await redis.del(keys.members('later'));
      await redis.zrem(keys.leases, 'later');
    };
    const eve = { userId: 'eve', revision: 30 };

    afterEach(removeForeign);

    it('is not drawn', async () => {
      await on.register('later');
      await addForeign('later');
      expect(await on.search('ann')).toMatchObject([{ state: 'waiting' }]);
      expect((await on.search('bob'))[0]).toMatchObject({ session: { partnerId: 'ann' } });
      expect(await redis.hget(keys.users, 'eve')).toBe(entry);
    });

    it('is as one of another node for the commands of this version', async () => {
      await on.register('later');
      await addForeign('later');
      for (const nodeId of ['n1', 'later']) {
        const gone = [{ ...eve, state: 'gone' }];
        expect(await on.search('eve', nodeId)).toEqual(gone);
        expect(await on.search('eve', nodeId, { revision: 20 })).toEqual(gone);
        expect(await on.leave('eve', nodeId, { forget: true })).toEqual(gone);
        expect(await on.suspend('eve', nodeId)).toEqual(gone);
        expect(await on.store.sync(nodeId, [{ ...eve, revision: 99, requestId: 9, state: 'idle' }])).toEqual(gone);
        expect(await on.store.disown(nodeId, ['eve'], 0)).toEqual([]);
        expect(await on.resume('eve', nodeId, 'eve-0', 'eve-1')).toBeUndefined();
      }
      expect(await redis.hget(keys.users, 'eve')).toBe(entry);
      expect(await redis.zrange(keys.queue, '0', '-1')).toEqual(['eve']);
    });

    it('is left to nodes of that version when its own lapses', async () => {
      await on.lapse('later');
      await addForeign('later');
      await redis.sadd(keys.members('n1'), 'eve');
      expect(await on.store.reap({ nodeId: 'later', limit: 10, graceMs: 0 })).toBe(0);
      expect(await redis.hget(keys.users, 'eve')).toBe(entry);
      expect(await redis.smembers(keys.members('later'))).toEqual(['eve']);
      expect(await redis.zscore(keys.leases, 'later')).toBe('0');
      // From a node that the user has left, nothing is kept.
      await on.lapse('n1');
      expect(await on.store.reap({ nodeId: 'n1', limit: 10, graceMs: 0 })).toBe(0);
      expect(await redis.exists(keys.members('n1'))).toBe(0);
    });

    it('is left to nodes of that version when the user was away for too long', async () => {
      await addForeign('-');
      await on.searchResumable('ann');
      await on.suspend('ann');
      expect(await on.store.expire(10)).toBe(0);
      expect(await redis.hgetall(keys.users)).toEqual({ eve: awayEntry });
      expect(await redis.zrange(keys.away, '0', '-1')).toEqual(['eve']);
      expect(await on.search('eve', 'n1')).toEqual([{ ...eve, state: 'away' }]);
    });

    it('does not stand before those of this one who were away for too long', async () => {
      const many = Array.from({ length: 30 }, (_, i) => `eve${i}`);
      for (const userId of many) {
        await redis.hset(keys.users, userId, awayEntry);
        await redis.zadd(keys.away, 1, userId);
      }
      await on.searchResumable('ann');
      await on.suspend('ann');
      for (const left of [21, 11, 1, 0]) expect(await on.store.expire(10)).toBe(left);
      expect((await redis.hkeys(keys.users)).sort()).toEqual(many.sort());
      expect(await on.register('n1')).toMatchObject({ due: 0 });
      await redis.del(keys.users, keys.away);
    });

    describe('that no node of its version takes', () => {
      /** So often nodes of this version find a user due and leave them, at times a minute apart. */
      const turns = 10;

      /** Lets the next minute be over, and finds the user due once more. */
      const passMinute = async () => {
        const fraction = Number(await redis.zscore(keys.away, 'eve')) % 1;
        await redis.zadd(keys.away, 1 + fraction, 'eve');
        return on.store.expire(10);
      };

      it('goes in the end when the user is away', async () => {
        await addForeign('-');
        for (let turn = 0; turn < turns; turn++) {
          await passMinute();
          expect(await redis.hget(keys.users, 'eve')).toBe(awayEntry);
          expect(await on.register('n1')).toMatchObject({ due: 0 });
        }
        await passMinute();
        expect(await redis.exists(keys.users, keys.away)).toBe(0);
      });

      it('goes in the end with its node, from everywhere', async () => {
        await addForeign('later');
        await on.lapse('later');
        const reap = () => on.store.reap({ nodeId: 'later', limit: 10, graceMs: 0 });
        for (let turn = 0; turn < turns; turn++) {
          await reap();
          await passMinute();
          expect(await redis.hget(keys.users, 'eve')).toBe(entry);
          expect(await redis.smembers(keys.members('later'))).toEqual(['eve']);
        }
        await passMinute();
        expect(await reap()).toBe(0);
        expect(await redis.exists(keys.users, keys.away, keys.queue, keys.members('later'))).toBe(0);
        expect((await on.register('n1')).lapsed).toEqual([]);
      });

      it('is not touched for so long that a node of its version must see it, each time', async () => {
        await addForeign('-');
        for (let turn = 0; turn <= turns; turn++) {
          const [seconds, micros] = await redis.time();
          const score = String(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - 1000 + turn / 16);
          await redis.zadd(keys.away, score, 'eve');
          expect(await on.store.expire(10)).toBe(0);
          expect(Number(await redis.zscore(keys.away, 'eve'))).toBe(Number(score));
        }
        expect(await redis.hget(keys.users, 'eve')).toBe(awayEntry);
      });

      it('begins to wait anew when a node of its version has had it in between', async () => {
        await addForeign('-');
        for (let turn = 0; turn < turns; turn++) await passMinute();
        // What such a node does when the user was back, and is away again.
        await redis.zadd(keys.away, 1, 'eve');
        for (let turn = 0; turn < turns; turn++) await passMinute();
        expect(await redis.hget(keys.users, 'eve')).toBe(awayEntry);
      });

      it('stays for as long as its node lives, whatever else is said', async () => {
        await on.register('later');
        await addForeign('later');
        await redis.zadd(keys.away, 1 + turns / 16, 'eve');
        await on.store.expire(10);
        expect(await redis.hget(keys.users, 'eve')).toBe(entry);
        expect(await redis.zrange(keys.queue, '0', '-1')).toEqual(['eve']);
        expect(await redis.exists(keys.away)).toBe(0);
      });
    });

    it('does not hide users of this one in the same node, nor makes a reaper ask for ever', async () => {
      await on.lapse('later');
      for (let i = 0; i < 30; i++) {
        await redis.hset(keys.users, `eve${i}`, entry);
        await redis.sadd(keys.members('later'), `eve${i}`);
      }
      await on.register('later');
      await on.search('ann', 'later');
      await on.lapse('later');
      // Which ones a batch holds is random; one without ann says that there is no hurry.
      for (let tries = 0; tries < 1000 && (await redis.hexists(keys.users, 'ann')); tries++) {
        await on.store.reap({ nodeId: 'later', limit: 10, graceMs: 0 });
      }
      expect(await redis.hexists(keys.users, 'ann')).toBe(0);
      expect(await on.store.reap({ nodeId: 'later', limit: 10, graceMs: 0 })).toBe(0);
      expect(await redis.scard(keys.members('later'))).toBe(30);
      await redis.del(keys.users, keys.away);
    });

    it('does not keep lapsed nodes of this one from being named', async () => {
      const many = Array.from({ length: 30 }, (_, i) => `later${i}`);
      for (const nodeId of many) await redis.zadd(keys.leases, 0, nodeId);
      await on.lapse('n2');
      const named = new Set<string>();
      for (let tries = 0; tries < 1000 && named.size < 31; tries++) {
        const { lapsed } = await on.register('n1');
        expect(lapsed).toHaveLength(10);
        for (const nodeId of lapsed) named.add(nodeId);
      }
      expect([...named].sort()).toEqual([...many, 'n2'].sort());
      await redis.zrem(keys.leases, ...many);
    });
  });

  describe('of no format at all', () => {
    const add = async (userId: string) => {
      await redis.hset(keys.users, userId, 'nonsense');
      await redis.zadd(keys.queue, 1, userId);
    };

    it('goes with its node, or when the user was away for too long', async () => {
      await add('eve');
      await redis.sadd(keys.members('n3'), 'eve');
      await on.lapse('n3');
      expect(await on.store.reap({ nodeId: 'n3', limit: 10, graceMs: 0 })).toBe(0);
      expect(await redis.exists(keys.users, keys.queue)).toBe(0);

      await add('eve');
      await redis.zadd(keys.away, 1, 'eve');
      expect(await on.store.expire(10)).toBe(0);
      expect(await redis.exists(keys.users, keys.queue, keys.away)).toBe(0);
    });
  });

  describe('that nobody has', () => {
    let registry: RedisPairRegistry;

    beforeEach(() => {
      registry = new RedisPairRegistry(redis, bench.pool.location);
    });

    const adopt = async () => {
      let cursor = '0';
      do cursor = await registry.adoptStrays(cursor);
      while (cursor !== '0');
      return (await redis.zrange(keys.away, '0', '-1')).sort();
    };

    /** Lets the minute be over in which somebody might have come. */
    const expire = async () => {
      for (const userId of await redis.zrange(keys.away, '0', '-1')) await redis.zadd(keys.away, 1, userId);
      return on.store.expire(1000);
    };

    it('goes with the session, whose other side is told', async () => {
      const sessionId = await on.pair('ann', 'bob');
      await on.searchResumable('cat', 'n2');
      await on.forgetReceived();
      await redis.zrem(keys.leases, 'n2');
      await redis.del(keys.members('n2'));
      expect(await adopt()).toEqual(['bob', 'cat']);
      expect(await redis.hlen(keys.users)).toBe(3);
      await expire();
      expect(await redis.hkeys(keys.users)).toEqual(['ann']);
      expect(await redis.exists(keys.queue, keys.away)).toBe(0);
      expect(await on.told('n1')).toMatchObject([
        { userId: 'ann', state: 'idle', ended: { sessionId, reason: 'timeout' } },
      ]);
      expect(await on.kindsOfFacts()).toEqual(['started', 'ended']);
    });

    it('goes when it is away for ever, or cannot be read', async () => {
      await on.searchResumable('ann');
      await on.suspend('ann', 'n1', { graceMs: 60_000 });
      await redis.del(keys.away);
      await redis.hset(keys.users, 'bob', 'nonsense');
      expect(await adopt()).toEqual(['ann', 'bob']);
      await expire();
      expect(await redis.exists(keys.users, keys.away)).toBe(0);
    });

    it('does not stand in the queue before others', async () => {
      const ghosts = Array.from({ length: 700 }, (_, n) => `ghost${n}`);
      await redis.zadd(keys.queue, ...ghosts.flatMap(userId => [1, userId]));
      expect((await on.search('ann'))[0]).toMatchObject({ state: 'waiting' });
      expect((await on.search('bob'))[0]).toMatchObject({ state: 'paired' });
      expect(await redis.exists(keys.queue)).toBe(0);
    });

    it('is found among many, who are left alone', async () => {
      const many = Array.from({ length: 3_000 }, (_, n) => `u${n}`);
      await redis.hset(keys.users, Object.fromEntries(many.map(userId => [userId, '1 i n1 1 1 - - - - - -'])));
      await redis.sadd(keys.members('n1'), ...many);
      await redis.hset(keys.users, 'eve', '2 p gone 7 30 whatever it holds');
      expect(await adopt()).toEqual(['eve']);
      await redis.hdel(keys.users, 'eve');
      await redis.del(keys.away);
    });
  });
});
