import { RedisPool } from '../../../tests/support/redis-pool.ts';
import { describeOutbox, type OutboxBench } from '../../core/test/outbox-contract.ts';
import { RedisOutbox } from '../src/index.ts';

interface RedisOutboxBench extends OutboxBench {
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
    outbox: new RedisOutbox(await pool.connect(), pool.location),
    addFields,
    add: fact => addFields(...Object.entries(fact).flatMap(([name, value]) => [name, String(value ?? '')])),
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
    expect(await bench.outbox.backlog()).toEqual({ length: 0, oldestAgeMs: 0 });
  });
});
