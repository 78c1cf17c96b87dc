import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { describeStatusBoard, someStatus } from '../../core/test/status-board-contract.ts';
import { RedisPairStore, RedisStatusBoard } from '../src/index.ts';

async function openBench() {
  const pool = new RedisPool();
  const redis = await pool.connect();
  const key = (name: string) => `${pool.prefix}:{${pool.pool}}:${name}`;
  return {
    pool,
    redis,
    key,
    store: new RedisPairStore(redis, pool.location),
    board: new RedisStatusBoard(redis, pool.location),
    postForeign: async (nodeId: string) => {
      await redis.hset(key('nodes'), nodeId, `5 ${JSON.stringify({ v: 2, of: 'the future' })}`);
    },
    age: async (ms: number) => {
      for (const [nodeId, text] of Object.entries(await redis.hgetall(key('nodes')))) {
        await redis.hset(
          key('nodes'),
          nodeId,
          text.replace(/^\d+/, said => `${Math.max(0, Number(said) - ms)}`),
        );
      }
    },
    kept: () => redis.hkeys(key('nodes')),
    close: async () => {
      expect(await pool.keys()).toEqual([]);
      expect(await redis.exists(key('nodes'))).toBe(0);
      await pool.close();
    },
  };
}

describeStatusBoard('RedisStatusBoard', openBench);

describe('RedisStatusBoard', () => {
  let bench: Awaited<ReturnType<typeof openBench>>;

  beforeEach(async () => {
    bench = await openBench();
  });

  afterEach(() => bench.close());

  it('lets go by itself what a recorder said that was killed', async () => {
    const { board, redis, key } = bench;
    await board.postRecorder({ version: '1', startedAt: 5, recording: true });
    const leftMs = await redis.pttl(key('recorder'));
    expect(leftMs).toBeGreaterThan(25_000);
    expect(leftMs).toBeLessThanOrEqual(30_000);
  });

  it('lets go by itself what the last nodes said that were killed', async () => {
    const { board, store, redis, key } = bench;
    await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
    await board.postNode('n1', someStatus());
    const leftMs = await redis.pttl(key('nodes'));
    expect(leftMs).toBeGreaterThan(590_000);
    expect(leftMs).toBeLessThanOrEqual(600_000);
    await redis.del(key('leases'));
    await board.removeNode('n1');
  });

  it('tells ages by the clock of Redis', async () => {
    const { board, store, redis, key } = bench;
    await store.renewLease({ nodeId: 'n1', leaseMs: 60_000 });
    await board.postNode('n1', someStatus());
    const [, json] = (await redis.hget(key('nodes'), 'n1'))?.split(/ (.*)/s) ?? [];
    const [seconds] = await redis.time();
    await redis.hset(key('nodes'), 'n1', `${(Number(seconds) - 100) * 1000} ${json}`);
    await redis.zadd(key('queue'), `${Number(seconds) - 50}000000`, 'ann');
    const { nodes, oldestWaitMs } = await board.read();
    expect(Math.floor((nodes[0]?.last?.ageMs ?? 0) / 10_000)).toBe(10);
    expect(Math.floor(oldestWaitMs / 10_000)).toBe(5);
    await redis.del(key('queue'), key('leases'));
    await board.removeNode('n1');
  });

  it('survives anything that lies where a node should have said something', async () => {
    const { board, store, redis, key } = bench;
    for (const [nodeId, text] of Object.entries({ n1: 'not JSON', n2: '', n3: '5 null', n4: '5 [1]', n5: '7' })) {
      await store.renewLease({ nodeId, leaseMs: 60_000 });
      await redis.hset(key('nodes'), nodeId, text);
    }
    expect((await board.read()).nodes.map(({ last }) => last)).toEqual(Array(5).fill(undefined));
    await redis.del(key('leases'));
    expect((await board.read()).lost).toEqual([]);
    await board.removeNode('n6');
  });

  it('says when Redis cannot be reached', async () => {
    const { board, redis } = bench;
    await redis.quit();
    await expect(board.read()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(board.postNode('n1', someStatus())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await redis.connect();
  });
});
