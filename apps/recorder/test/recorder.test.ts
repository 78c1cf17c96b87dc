import { EventEmitter, once } from 'node:events';
import type { RecorderStatus, SessionFact, SessionLog, SessionStarted } from '@passerby/core';
import { applyMigrations, PrismaSessionLog } from '@passerby/database';
import { pino } from 'pino';
import { readFacts } from '../../../packages/core/test/read-facts.ts';
import { createTemporaryDatabase, type TemporaryDatabase } from '../../../packages/database/test/temporary-database.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { Metrics } from '../src/metrics.ts';
import { Recorder } from '../src/recorder.ts';
import { Sweeper } from '../src/sweeper.ts';
import { WatchedOutbox } from './watched-outbox.ts';

const pool = 'lobby';
const sessionId = (n: number) => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const started = (n: number): SessionStarted => ({
  kind: 'started',
  sessionId: sessionId(n),
  userA: 'a',
  userB: 'b',
  startedAt: Date.UTC(2026, 0, 1),
});
const refused = (n: number): SessionFact => ({ ...started(n), userA: 'NUL \u0000' });

let database: TemporaryDatabase;
let sessionLog: PrismaSessionLog;
let outbox: WatchedOutbox;
let metrics: Metrics;
/** The sessions that the registry knows. */
let alive: Set<string>;
/** What the recorder said of itself. */
let said: (RecorderStatus | 'gone')[];
let lines: { level: number; msg: string; sessionId?: string; reason?: string }[];
let logged: EventEmitter;
let recorder: Recorder;

beforeAll(async () => {
  database = await createTemporaryDatabase();
  await applyMigrations(database.url);
  sessionLog = new PrismaSessionLog({ databaseUrl: database.url, pool });
});

afterAll(async () => {
  await sessionLog.close();
  await database.drop();
});

beforeEach(async () => {
  await database.query('TRUNCATE "ChatSession"');
  outbox = new WatchedOutbox();
  metrics = new Metrics();
  alive = new Set();
  said = [];
  lines = [];
  logged = new EventEmitter();
  recorder = newRecorder(sessionLog);
});

afterEach(async () => {
  await recorder.stop();
  await refuseNothing();
});

function newRecorder(log: Pick<SessionLog, 'write'>, { sweepEveryMs = 60_000 } = {}): Recorder {
  const logger = pino(
    {},
    {
      write: (line: string) => {
        lines.push(JSON.parse(line));
        logged.emit('line');
      },
    },
  );
  const board = {
    postRecorder: async (status: RecorderStatus) => void said.push(status),
    removeRecorder: async () => void said.push('gone'),
  };
  const registry = {
    areAlive: async (sessions: readonly SessionStarted[]) => sessions.map(({ sessionId }) => alive.has(sessionId)),
    adoptStrays: async () => '0',
  };
  return new Recorder({
    pool,
    outbox,
    sessionLog: {
      check: () => sessionLog.check(),
      openSessions: query => sessionLog.openSessions(query),
      write: facts => log.write(facts),
    },
    board,
    sweeper: new Sweeper({ sessionLog, registry, sweepEveryMs }),
    batchSize: 10,
    highWater: 20,
    metrics,
    log: logger,
  });
}

function add(...facts: SessionFact[]): void {
  for (const fact of facts) outbox.add(fact, Date.now());
}

/** The sessions of the facts that are left in the outbox. */
async function left(): Promise<string[]> {
  return (await readFacts(outbox)).map(({ sessionId }) => sessionId);
}

async function line(text: string): Promise<void> {
  while (!lines.some(({ msg }) => msg.includes(text))) await once(logged, 'line');
}

async function recorded(): Promise<string[]> {
  return (await database.query<{ id: string }>('SELECT id FROM "ChatSession" ORDER BY id')).map(({ id }) => id);
}

const open = async () =>
  (await database.query<{ id: string }>('SELECT id FROM "ChatSession" WHERE "endedAt" IS NULL ORDER BY id')).map(
    ({ id }) => id,
  );

const metric = async (name: string, labels: Record<string, string> = {}) => {
  const found = await metrics.registry.getSingleMetric(`passerby_recorder_${name}`)?.get();
  return found?.values.find(({ labels: l }) => Object.entries(labels).every(([k, v]) => l[k] === v))?.value;
};

const untilMetric = async (name: string, value: number) => {
  while ((await metric(name)) !== value) await new Promise(setImmediate);
};

const untilFailures = async (count: number) => {
  while (Number((await metric('failures_total')) ?? 0) < count) await new Promise(setImmediate);
};

/** @param condition of the rows that a trigger refuses, in SQL */
async function refuse(condition: string, when = 'INSERT'): Promise<void> {
  await database.query(`
    BEGIN;
    DROP FUNCTION IF EXISTS guard CASCADE;
    CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF ${condition} THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER guard BEFORE ${when} ON "ChatSession" FOR EACH ROW EXECUTE FUNCTION guard();
    COMMIT`);
}

const refuseNothing = () => database.query('DROP FUNCTION IF EXISTS guard CASCADE');

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('Recorder', () => {
  it('records what waits and what comes, in batches, and counts it', async () => {
    add(...range(25).map(started));
    recorder.start();
    await outbox.shrunkTo(0);
    add(started(25));
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual(range(26).map(sessionId));
    expect(await metric('facts_total', { kind: 'started' })).toBe(26);
    expect(await metric('batches_total')).toBe(4);
    expect(recorder.isRecording).toBe(true);
  });

  it('removes nothing before the commit', async () => {
    const waiting = new EventEmitter();
    const commit = new EventEmitter();
    recorder = newRecorder({
      write: async () => {
        const committed = once(commit, 'now');
        waiting.emit('writing');
        await committed;
      },
    });
    const writing = once(waiting, 'writing');
    add(started(1));
    recorder.start();
    await writing;
    expect(await left()).toHaveLength(1);
    commit.emit('now');
    await outbox.shrunkTo(0);
  });

  it('writes two batches at a time, reads what is behind them, and begins with the oldest again when one fails', async () => {
    const commit = new EventEmitter();
    const writing = new EventEmitter();
    const sizes: number[] = [];
    let broken = true;
    const begun = async (writes: number) => {
      while (sizes.length < writes) await once(writing, 'begun');
    };
    recorder = newRecorder({
      write: async facts => {
        const committed = once(commit, 'now');
        const isFirst = sizes.push(facts.length) === 1;
        writing.emit('begun');
        await committed;
        if (broken && isFirst) throw new Error('PostgreSQL is away');
        await sessionLog.write(facts);
      },
    });
    add(...range(35).map(started));
    recorder.start();
    await begun(2);
    expect(sizes).toEqual([10, 10]);
    expect(outbox.readsAfter).toEqual([undefined, '20']);

    commit.emit('now');
    // What the other one has written is not there any more.
    await begun(4);
    expect(await left()).toEqual([...range(10), ...range(35).slice(20)].map(sessionId));
    expect(outbox.readsAfter).toEqual([undefined, '20', undefined, '30']);
    broken = false;
    commit.emit('now');
    await begun(5);
    expect(sizes.at(-1)).toBe(5);
    commit.emit('now');
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual(range(35).map(sessionId));
  });

  it('lets facts gather behind a batch that was not full', async () => {
    add(started(0));
    recorder.start();
    await outbox.shrunkTo(0);
    for (const n of [1, 2, 3]) {
      add(started(n));
      await new Promise(setImmediate);
    }
    await outbox.shrunkTo(0);
    expect(await metric('batches_total')).toBe(2);
  });

  it('loses nothing while PostgreSQL refuses to serve, and logs the change and not every try', async () => {
    await database.query('ALTER TABLE "ChatSession" RENAME TO gone');
    add(...range(3).map(started));
    recorder.start();
    await line('Recording is interrupted (cannot write)');
    while (((await metric('failures_total')) ?? 0) < 3) await new Promise(setImmediate);
    expect(recorder.isRecording).toBe(false);
    expect(await left()).toHaveLength(3);
    await database.query('ALTER TABLE gone RENAME TO "ChatSession"');
    await outbox.shrunkTo(0);
    await line('Recording.');
    expect(await recorded()).toHaveLength(3);
    expect(lines.filter(({ msg }) => msg.includes('interrupted'))).toHaveLength(1);
  });

  it('goes on when the outbox can be read again', async () => {
    outbox.failWith = new Error('Redis is away');
    add(started(1));
    recorder.start();
    await line('Recording is interrupted (cannot read)');
    outbox.failWith = undefined;
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([sessionId(1)]);
  });

  it('writes a batch again whose removal failed', async () => {
    const away = new Error('Redis is away');
    recorder = newRecorder({
      write: async facts => {
        await sessionLog.write(facts);
        outbox.failWith = away;
      },
    });
    add(started(1));
    recorder.start();
    await line('Recording is interrupted (cannot remove)');
    expect(await recorded()).toEqual([sessionId(1)]);
    await recorder.stop();

    outbox.failWith = undefined;
    recorder = newRecorder(sessionLog);
    recorder.start();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([sessionId(1)]);
  });

  it('finds refused facts, sets them aside, and records all others', async () => {
    add(...range(8).map(n => (n === 2 || n === 5 ? refused(n) : started(n))));
    recorder.start();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([0, 1, 3, 4, 6, 7].map(sessionId));
    expect(await outbox.backlog()).toMatchObject({ setAside: 2 });
    await untilMetric('refused_facts', 2);
    expect(recorder.isRecording).toBe(true);
    expect(lines.filter(({ level }) => level >= 50)).toEqual(
      [2, 5].map(n =>
        expect.objectContaining({ sessionId: sessionId(n), reason: expect.stringMatching(/^SQLSTATE 22021: /) }),
      ),
    );
    expect(await metric('failures_total')).toBeUndefined();
  });

  it('sets aside what a trigger refuses, in a batch or alone, and records all others', async () => {
    await refuse(`NEW."userA" = 'ann'`);
    add(...range(8).map(n => (n === 5 ? { ...started(n), userA: 'ann' } : started(n))));
    recorder.start();
    await outbox.shrunkTo(0);
    add({ ...started(8), userA: 'ann' });
    await outbox.shrunkTo(0);
    add(started(9));
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([0, 1, 2, 3, 4, 6, 7, 9].map(sessionId));
    const told = lines.filter(({ level }) => level >= 50);
    expect(told).toEqual(
      [5, 8].map(n => expect.objectContaining({ sessionId: sessionId(n), reason: 'SQLSTATE P0001: not this one' })),
    );
    expect(await metric('failures_total')).toBeUndefined();
  });

  it.each<[string, SessionFact[]]>([
    ['many', range(15).map(started)],
    ['one alone', [started(0)]],
  ])('keeps %s while nothing can be written, and says so once', async (_, facts) => {
    await refuse('true');
    add(...facts);
    recorder.start();
    await untilFailures(3);
    expect(await outbox.backlog()).toMatchObject({ length: facts.length, setAside: 0 });
    expect(lines.filter(({ level }) => level >= 50)).toEqual([
      expect.objectContaining({
        msg: expect.stringContaining('Recording is interrupted (cannot write)'),
        err: expect.objectContaining({ message: expect.stringContaining('not even a harmless one: SQLSTATE P0001') }),
      }),
    ]);
    await refuseNothing();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual(facts.map(fact => fact.sessionId));
  });

  it('records a refused fact when it is put back and nothing is wrong any more', async () => {
    await database.query(`ALTER TABLE "ChatSession" ADD CONSTRAINT "notAnn" CHECK ("userA" <> 'ann')`);
    add({ ...started(1), userA: 'ann' }, started(2));
    recorder.start();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([sessionId(2)]);
    await database.query('ALTER TABLE "ChatSession" DROP CONSTRAINT "notAnn"');
    await outbox.retry(10);
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([1, 2].map(sessionId));
    await untilMetric('refused_facts', 0);
  });

  it('sets entries aside that it cannot read, tells of each, and records all others', async () => {
    for (const n of range(12)) outbox.unreadable.add(sessionId(n));
    add(...range(15).map(started));
    recorder.start();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([12, 13, 14].map(sessionId));
    const told = lines.filter(({ level }) => level >= 50);
    expect(told).toEqual(
      range(12).map(n => expect.objectContaining({ entryId: `${n + 1}`, reason: 'It is in cipher.' })),
    );
    expect(await metric('failures_total')).toBeUndefined();
  });

  it('records the others even while nothing can be set aside', async () => {
    outbox.failAsideWith = new Error('The key holds something else');
    outbox.unreadable.add(sessionId(0));
    add(started(0), refused(1), started(2));
    recorder.start();
    await outbox.shrunkTo(2);
    await line('Recording is interrupted (cannot set aside)');
    expect(await recorded()).toEqual([sessionId(2)]);
    outbox.failAsideWith = undefined;
    await outbox.shrunkTo(0);
    expect(await outbox.backlog()).toMatchObject({ setAside: 2 });
  });

  it('raises an alarm while more facts wait than the high-water mark, and drops none', async () => {
    await database.query('ALTER TABLE "ChatSession" RENAME TO gone');
    add(...range(21).map(started));
    recorder.start();
    await line('The outbox is above its high-water mark.');
    expect(await metric('past_high_water')).toBe(1);
    expect(await metric('backlog_facts')).toBe(21);
    await database.query('ALTER TABLE gone RENAME TO "ChatSession"');
    await line('The outbox is below its high-water mark again.');
    expect(await metric('past_high_water')).toBe(0);
    expect(lines.filter(({ msg }) => msg.includes('high-water'))).toHaveLength(2);
    await outbox.shrunkTo(0);
    expect(await recorded()).toHaveLength(21);
  });

  it('closes the rows of sessions that are gone, and no others', async () => {
    recorder = newRecorder(sessionLog, { sweepEveryMs: 100 });
    // More than a page.
    const gone = range(600);
    alive = new Set([sessionId(600)]);
    await sessionLog.write([...gone, 600].map(started));
    await sessionLog.write([{ ...started(601), startedAt: Date.now() + 60_000 }]);
    recorder.start();
    await untilMetric('swept_sessions_total', 600);
    const [row] = await database.query(
      `SELECT count(*)::int, min("endReason") AS reason, bool_and("messages" IS NULL) AS uncounted,
       max(abs(extract(epoch FROM now() - "endedAt"))) < 60 AS now FROM "ChatSession" WHERE "endedAt" IS NOT NULL`,
    );
    expect(row).toEqual({ count: 600, reason: 'lost', uncounted: true, now: true });
    expect(await open()).toEqual([600, 601].map(sessionId));
    await line('They are closed as lost.');
  });

  it('closes rows past one that a trigger refuses to close, and no longer while all are refused', async () => {
    recorder = newRecorder(sessionLog, { sweepEveryMs: 100 });
    await sessionLog.write([0, 1, 2].map(n => ({ ...started(n), userA: n === 1 ? 'ann' : 'a' })));
    await refuse('true', 'UPDATE');
    recorder.start();
    await line('Rows that are left open cannot be looked for.');
    expect(await open()).toEqual([0, 1, 2].map(sessionId));
    await refuse(`NEW."userA" = 'ann'`, 'UPDATE');
    await untilMetric('swept_sessions_total', 2);
    expect(await open()).toEqual([sessionId(1)]);
    await line('cannot be closed.');
    await refuseNothing();
    await untilMetric('swept_sessions_total', 3);
  });

  it('records what waits before a stop is done', async () => {
    add(...range(95).map(started));
    recorder.start();
    await recorder.stop();
    expect(await left()).toEqual([]);
    expect(await recorded()).toHaveLength(95);
    add(started(100));
    expect(await left()).toHaveLength(1);
  });

  it('notices that PostgreSQL is away though nothing is to be written', async () => {
    await database.query('ALTER TABLE "ChatSession" RENAME TO gone');
    recorder.start();
    await line('Recording is interrupted (cannot write)');
    expect(recorder.isRecording).toBe(false);
    await database.query('ALTER TABLE gone RENAME TO "ChatSession"');
    await line('Recording.');
    expect(recorder.isRecording).toBe(true);
    await eventually(() => expect(said.at(-1)).toMatchObject({ recording: true, version: expect.any(String) }));
    await recorder.stop();
    expect(said[0]).toMatchObject({ recording: false });
    expect(said.at(-1)).toBe('gone');
  });

  it('stops within its bound when the log never answers', async () => {
    const answer = new EventEmitter();
    recorder = newRecorder({
      write: async () => {
        await once(answer, 'now');
      },
    });
    add(started(1));
    recorder.start();
    await recorder.stop(50);
    expect(await left()).toHaveLength(1);
    answer.emit('now');
  });

  it('stops at once, and keeps the facts, while PostgreSQL is away', async () => {
    recorder = newRecorder({ write: () => Promise.reject(new Error('PostgreSQL is away')) });
    add(started(1));
    recorder.start();
    await line('cannot write');
    await recorder.stop();
    expect(await left()).toHaveLength(1);
  });
});
