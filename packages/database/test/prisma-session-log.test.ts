import { randomBytes } from 'node:crypto';
import { RefusedFactsError, type SessionEnded, type SessionFact, type SessionStarted } from '@passerby/core';
import { applyMigrations, PrismaSessionLog } from '@passerby/database';
import fc from 'fast-check';
import { createTemporaryDatabase, type TemporaryDatabase } from './temporary-database.ts';

const startedAt = Date.UTC(2025, 10, 22, 16, 46, 40, 123);
const sessionId = (n: number) => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const started = (n: number): SessionStarted => ({
  kind: 'started',
  sessionId: sessionId(n),
  userA: `a${n}`,
  userB: `b${n}`,
  startedAt,
});
const ended = (n: number): SessionEnded => ({
  ...started(n),
  kind: 'ended',
  endedAt: startedAt + 5_555 + n,
  endReason: 'skip',
  messages: n % 2 === 0 ? n : null,
});

const lost = (n: number): SessionEnded => ({
  ...ended(n),
  endedAt: startedAt + 90_000,
  endReason: 'lost',
  messages: null,
});

const endedRow = (n: number) => ({
  id: sessionId(n),
  pool: 'lobby',
  userA: `a${n}`,
  userB: `b${n}`,
  startedAt: new Date(startedAt),
  endedAt: new Date(startedAt + 5_555 + n),
  endReason: 'skip',
  messages: n % 2 === 0 ? n : null,
});
const openRow = (n: number) => ({ ...endedRow(n), endedAt: null, endReason: null, messages: null });

let database: TemporaryDatabase;
let log: PrismaSessionLog;

beforeAll(async () => {
  database = await createTemporaryDatabase();
  await applyMigrations(database.url);
  log = new PrismaSessionLog({ databaseUrl: database.url, pool: 'lobby' });
});

beforeEach(() => database.query('TRUNCATE "ChatSession"'));
afterEach(() => dropTrigger());

afterAll(async () => {
  await log.close();
  await database.drop();
});

/** @param when 'deferred': at the commit of what inserts or updates */
async function addTrigger(when: string, body: string): Promise<void> {
  await database.query(
    `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NEW; END $$`,
  );
  const deferred = 'CONSTRAINT TRIGGER guard AFTER INSERT OR UPDATE ON "ChatSession" DEFERRABLE INITIALLY DEFERRED';
  await database.query(
    `CREATE ${when === 'deferred' ? deferred : `TRIGGER guard ${when} ON "ChatSession"`} FOR EACH ROW EXECUTE FUNCTION guard()`,
  );
}

const dropTrigger = () => database.query('DROP FUNCTION IF EXISTS guard CASCADE');

const rows = () => database.query('SELECT * FROM "ChatSession" ORDER BY id');

describe('PrismaSessionLog', () => {
  it('writes open and ended sessions, to the millisecond', async () => {
    await log.write([started(1), started(2), ended(2), ended(3)]);
    expect(await rows()).toEqual([openRow(1), endedRow(2), endedRow(3)]);
  });

  it('writes ids as they are, whatever they hold', async () => {
    const [userA, userB] = ['NULL', 'a "b" \\c\n{d,e}, é🙂 '];
    await log.write([{ ...started(1), userA, userB }, ended(2)]);
    expect(await rows()).toEqual([{ ...openRow(1), userA, userB }, endedRow(2)]);
  });

  it('ends an open session, and never opens an ended one again', async () => {
    await log.write([started(1)]);
    await log.write([ended(1)]);
    await log.write([started(1)]);
    await log.write([ended(1), started(1)]);
    expect(await rows()).toEqual([endedRow(1)]);
  });

  it('keeps the first end of a session', async () => {
    await log.write([ended(1), { ...ended(1), endReason: 'timeout', messages: 99 }]);
    await log.write([{ ...ended(1), endReason: 'timeout', messages: 99 }]);
    expect(await rows()).toEqual([endedRow(1)]);
  });

  it('lets an end that was seen replace one that was concluded, and never the other way', async () => {
    const lostRow = { ...endedRow(1), endedAt: new Date(lost(1).endedAt), endReason: 'lost', messages: null };
    await log.write([started(1)]);
    await log.write([lost(1)]);
    await log.write([{ ...lost(1), endedAt: lost(1).endedAt + 1 }, started(1)]);
    expect(await rows()).toEqual([lostRow]);
    await log.write([lost(1), ended(1), started(1)]);
    expect(await rows()).toEqual([endedRow(1)]);
    await log.write([lost(1)]);
    expect(await rows()).toEqual([endedRow(1)]);
  });

  it('lists the open sessions of its pool, page by page', async () => {
    const other = new PrismaSessionLog({ databaseUrl: database.url, pool: 'games' });
    try {
      await other.write([started(9)]);
      await log.write([started(4), started(2), started(1), ended(3), { ...started(5), startedAt: startedAt + 1 }]);
      const query = { startedBefore: startedAt + 1, after: '', limit: 2 };
      expect(await log.openSessions(query)).toEqual([started(1), started(2)]);
      expect(await log.openSessions({ ...query, after: sessionId(2) })).toEqual([started(4)]);
      expect(await other.openSessions(query)).toEqual([started(9)]);
    } finally {
      await other.close();
    }
  });

  it('gives the same rows for any order, repetition and division into batches', async () => {
    const facts = [1, 2, 3, 4].flatMap((n): SessionFact[] => [started(n), ended(n)]);
    const repeated = fc.array(fc.constantFrom(...facts, lost(1), lost(2)), { maxLength: 12 });
    const shuffled = repeated.chain(extra => {
      const all = [...facts, ...extra];
      return fc.shuffledSubarray(all, { minLength: all.length });
    });
    await fc.assert(
      fc.asyncProperty(shuffled, fc.integer({ min: 1, max: 6 }), async (sequence, size) => {
        await database.query('TRUNCATE "ChatSession"');
        for (let i = 0; i < sequence.length; i += size) await log.write(sequence.slice(i, i + size));
        expect(await rows()).toEqual([1, 2, 3, 4].map(endedRow));
      }),
      { numRuns: 25 },
    );
  });

  it('takes a thousand sessions at once, from several writers at once', async () => {
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    const other = new PrismaSessionLog({ databaseUrl: database.url, pool: 'lobby' });
    try {
      const backwards = numbers.toReversed();
      await Promise.all([
        log.write(numbers.map(ended)),
        other.write(backwards.map(ended)),
        log.write(backwards.map(started)),
      ]);
    } finally {
      await other.close();
    }
    expect(await rows()).toEqual(numbers.map(endedRow));
  });

  it('does nothing for an empty batch', async () => {
    await log.write([]);
    expect(await rows()).toEqual([]);
  });

  it.each<[string, SessionFact, code: string]>([
    ['an id that is no UUID', { ...started(1), sessionId: 'nonsense' }, '22P02'],
    ['a NUL character', { ...started(1), userA: 'a\u0000b' }, '22021'],
    ['a count that is too large', { ...ended(1), messages: 3e9 }, '22003'],
    ['a time that is none', { ...started(1), startedAt: Number.NaN }, '22008'],
    ['a time out of range', { ...ended(1), endedAt: 1e300 }, '22008'],
  ])('refuses %s, says why, and writes nothing', async (_, fact, code) => {
    const error = await log.write([started(2), fact]).catch(thrown => thrown);
    expect(error).toBeInstanceOf(RefusedFactsError);
    expect(error.reason).toMatch(new RegExp(`^SQLSTATE ${code}: ..`));
    expect(await rows()).toEqual([]);
  });

  describe('with something else that refuses one user', () => {
    it.each<[string, code: string, fact: SessionFact, wrong: string]>([
      ['a trigger', 'P0001', { ...started(1), userA: 'ann' }, `RAISE 'not her'`],
      ['a trigger that lacks a table', '42P01', { ...started(1), userA: 'ann' }, 'PERFORM FROM missing'],
      ['a trigger with an internal error', 'XX000', { ...started(1), userA: 'ann' }, `RAISE SQLSTATE 'XX000'`],
      ['an index', '54000', { ...started(1), userA: `ann${randomBytes(4_000).toString('hex')}` }, 'NULL'],
    ])('refuses it: %s', async (_, code, fact, wrong) => {
      await addTrigger('BEFORE INSERT', `IF NEW."userA" = 'ann' THEN ${wrong}; END IF`);
      const error = await log.write([started(2), fact]).catch(thrown => thrown);
      expect(error).toBeInstanceOf(RefusedFactsError);
      expect(error.reason).toMatch(new RegExp(`^SQLSTATE ${code}: `));
      await expect(log.write([fact])).rejects.toThrow(RefusedFactsError);
      expect(await rows()).toEqual([]);
    });
  });

  it.each([
    ['its table is gone', 'ALTER TABLE "ChatSession" RENAME TO gone', 'ALTER TABLE gone RENAME TO "ChatSession"'],
    ['a column has another name', 'RENAME "messages" TO "count"', 'RENAME "count" TO "messages"'],
    [
      'a column must be filled',
      'ADD "more" int NOT NULL DEFAULT 1; ALTER TABLE "ChatSession" ALTER "more" DROP DEFAULT',
      'DROP "more"',
    ],
    ['a column has another type', 'ALTER "pool" TYPE int USING 1', `ALTER "pool" TYPE text USING 'lobby'`],
    ['a constraint refuses all', 'ADD CONSTRAINT "no" CHECK (false) NOT VALID', 'DROP CONSTRAINT "no"'],
    ['a trigger refuses all', 'BEFORE INSERT', ''],
    ['a trigger refuses all afterwards', 'AFTER INSERT', ''],
    ['a trigger refuses every end', 'BEFORE UPDATE', ''],
    ['a trigger refuses all at the commit', 'deferred', ''],
  ])('takes no fact for refused when %s', async (_, wrong, mended) => {
    const alter = (what: string) =>
      database.query(what.startsWith('ALTER TABLE') ? what : `ALTER TABLE "ChatSession" ${what}`);
    await log.write([started(1)]);
    if (mended !== '') await alter(wrong);
    else await addTrigger(wrong, `RAISE 'nobody'`);
    try {
      await expect(log.write([ended(1), ended(2)])).rejects.toThrow(/not even a harmless one: SQLSTATE /);
      // A fault may let one of these pass, but may not make the other one look refused.
      const alone = await Promise.all([ended(1), ended(2)].map(fact => log.write([fact]).catch(thrown => thrown)));
      expect(alone.filter(error => error instanceof RefusedFactsError)).toEqual([]);
      expect(alone).toContainEqual(expect.any(Error));
    } finally {
      if (mended !== '') await alter(mended);
      else await dropTrigger();
    }
    await log.write([ended(1), ended(2)]);
    expect(await rows()).toEqual([endedRow(1), endedRow(2)]);
  });

  it('does not refuse a fact for what was wrong for a moment only', async () => {
    await database.query('CREATE SEQUENCE tries');
    // A sequence is not rolled back.
    await addTrigger('BEFORE INSERT', `IF nextval('tries') = 1 THEN RAISE 'for once'; END IF`);
    await log.write([started(1)]);
    expect(await rows()).toEqual([openRow(1)]);
    await database.query('DROP SEQUENCE tries');
  });

  it.each(['08006', '25006', '28000', '3D000', '40001', '53100', '55P03', '57014', '57P01', '58030'])(
    'takes the failure %s for one that passes',
    async code => {
      await addTrigger('BEFORE INSERT', `IF NEW."userA" = 'ann' THEN RAISE SQLSTATE '${code}'; END IF`);
      const write = log.write([{ ...started(1), userA: 'ann' }]);
      await expect(write).rejects.not.toThrow(RefusedFactsError);
    },
  );

  it('does not take a server that is away for bad data', async () => {
    const unreachable = new PrismaSessionLog({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', pool: 'lobby' });
    await expect(unreachable.write([started(1)])).rejects.not.toThrow(RefusedFactsError);
    await unreachable.close();
  });

  it('goes on after its connections were cut', async () => {
    await log.write([started(1)]);
    await database.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await log.write([ended(1)]).catch(() => log.write([ended(1)]));
    expect(await rows()).toEqual([endedRow(1)]);
  });
});
