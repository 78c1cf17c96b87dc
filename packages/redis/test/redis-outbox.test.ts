import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { RedisServer } from '../../../apps/cluster/src/index.ts';
import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { describeOutbox, type OutboxBench } from '../../core/test/outbox-contract.ts';
import { RedisOutbox } from '../src/index.ts';

interface RedisOutboxBench extends OutboxBench {
  redis: Redis;
  /** The key of the stream of refused facts. */
  refusedKey: string;
  /** Adds an entry as it is, names and values in turn. */
  addFields(...fields: string[]): Promise<void>;
}

async function redisOutboxBench(): Promise<RedisOutboxBench> {
  const pool = new RedisPool();
  const redis = await pool.connect();
  const addFields = async (...fields: string[]) => {
    await redis.xadd(`${pool.prefix}:{${pool.pool}}:outbox`, '*', ...fields);
  };
  return {
    redis,
    refusedKey: `${pool.prefix}:{${pool.pool}}:refused`,
    outbox: new RedisOutbox(await pool.connect(), pool.location),
    addFields,
    add: fact =>
      addFields(
        'fact',
        Object.values(fact)
          .map(value => value ?? '-')
          .join(' '),
      ),
    close: () => pool.close(),
  };
}

describeOutbox('RedisOutbox', redisOutboxBench);

describe('RedisOutbox', () => {
  let bench: RedisOutboxBench;
  const session = ['sessionId', 's1', 'userA', 'ann', 'userB', 'bob', 'startedAt', '5'];
  const ended = ['kind', 'ended', ...session, 'endedAt', '9', 'endReason', 'skip'];

  beforeEach(async () => {
    bench = await redisOutboxBench();
  });

  afterEach(() => bench.close());

  it.each([
    [['kind', 'started', 'sessionId', 's1'], 'The entry has no field userA.'],
    [session, 'The entry has no field kind.'],
    [['kind', 'other', ...session], 'The entry has the unknown kind "other".'],
    [['kind', 'started', ...session, 'startedAt', 'noon'], 'The field startedAt must be a whole number, not "noon".'],
    [[...ended, 'messages', '1.5'], 'The field messages must be a whole number, not "1.5".'],
  ])('gives an entry that it cannot read with the problem, and the ones behind it', async (fields, problem) => {
    await bench.addFields(...fields);
    await bench.addFields('kind', 'started', ...session);
    const entries = await bench.outbox.read(10, 0);
    const place = { id: expect.any(String), at: expect.any(Number) };
    expect(entries).toEqual([
      { ...place, fact: undefined, problem },
      { ...place, fact: { kind: 'started', sessionId: 's1', userA: 'ann', userB: 'bob', startedAt: 5 } },
    ]);
    await bench.outbox.remove(entries.map(({ id }) => id));
    expect(await bench.outbox.backlog()).toEqual({ length: 0, oldestAgeMs: 0, setAside: 0 });
  });

  it.each([
    ['started s1 ann bob', 'The entry has no field startedAt.'],
    ['', 'The entry has the unknown kind "".'],
    ['paused s1 ann bob 5', 'The entry has the unknown kind "paused".'],
    ['started s1 ann bob noon', 'The field startedAt must be a whole number, not "noon".'],
    ['ended s1 ann bob 5 9 skip 1.5', 'The field messages must be a whole number, not "1.5".'],
  ])('gives a text that it cannot read with the problem: %s', async (text, problem) => {
    await bench.addFields('fact', text);
    expect(await bench.outbox.read(10, 0)).toMatchObject([{ fact: undefined, problem }]);
  });

  it('reads a fact with more fields behind, and those of the version before, whose fields had names', async () => {
    const session = { sessionId: 's1', userA: 'ann', userB: 'bob', startedAt: 5 };
    await bench.addFields('fact', 'started s1 ann bob 5 later');
    await bench.addFields('fact', 'ended s1 ann bob 5 9 skip 3 later');
    await bench.addFields(...ended, 'messages', '3', 'later', '1');
    await bench.addFields(...ended, 'messages', '');
    const skipped = { kind: 'ended', ...session, endedAt: 9, endReason: 'skip' };
    expect((await bench.outbox.read(10, 0)).map(({ fact }) => fact)).toEqual([
      { kind: 'started', ...session },
      { ...skipped, messages: 3 },
      { ...skipped, messages: 3 },
      { ...skipped, messages: null },
    ]);
  });

  it('keeps all that an entry holds when it is set aside, also what it cannot read', async () => {
    const strange = ['kind', 'strange', 'empty', '', 'twice', '1', 'twice', '2'];
    await bench.addFields(...strange);
    const [entry] = await bench.outbox.read(1, 0);
    await bench.outbox.setAside(entry?.id ?? '', 'It is strange.');
    const refused = [...strange, 'reason', 'It is strange.', 'outboxId', entry?.id];
    expect(await bench.redis.xrange(bench.refusedKey, '-', '+')).toEqual([[expect.any(String), refused]]);
    await bench.outbox.retry(1);
    expect(await bench.outbox.read(1, 0)).toMatchObject([{ problem: 'The entry has the unknown kind "strange".' }]);
  });

  it('leaves an entry where it is if it cannot be set aside', async () => {
    await bench.add({ kind: 'started', sessionId: 's1', userA: 'ann', userB: 'bob', startedAt: 5 });
    await bench.redis.set(bench.refusedKey, 'not a stream');
    const [entry] = await bench.outbox.read(1, 0);
    await expect(bench.outbox.setAside(entry?.id ?? '', 'It is refused.')).rejects.toThrow('WRONGTYPE');
    expect(await bench.outbox.read(1, 0)).toEqual([entry]);
  });
});

describe('RedisOutbox in a Redis that is full', () => {
  it('still gives, removes and sets aside', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'passerby-full-'));
    const server = await RedisServer.start({ dir });
    const pool = new RedisPool(server.url);
    try {
      const redis = await pool.connect();
      const outbox = new RedisOutbox(await pool.connect(), pool.location);
      const add = () => redis.xadd(`${pool.prefix}:{${pool.pool}}:outbox`, '*', 'kind', 'strange');
      for (let n = 0; n < 3; n++) await add();
      await redis.config('SET', 'maxmemory', '1');
      await expect(add()).rejects.toThrow('OOM');
      const [first, second] = await outbox.read(10, 0);
      await outbox.setAside(first?.id ?? '', 'It is strange.');
      await outbox.remove([second?.id ?? '']);
      expect(await outbox.backlog()).toMatchObject({ length: 1, setAside: 1 });
      await expect(outbox.retry(1)).rejects.toThrow('OOM');
      expect(await outbox.backlog()).toMatchObject({ length: 1, setAside: 1 });
    } finally {
      await pool.close();
      await server.stop();
      await rm(dir, { recursive: true });
    }
  });
});
