import { EventEmitter, once } from 'node:events';
import type { SessionFact, SessionLog } from '@passerby/core';
import { applyMigrations, PrismaSessionLog } from '@passerby/database';
import { pino } from 'pino';
import { readFacts } from '../../../packages/core/test/read-facts.ts';
import { createTemporaryDatabase, type TemporaryDatabase } from '../../../packages/database/test/temporary-database.ts';
import { Metrics } from '../src/metrics.ts';
import { Recorder } from '../src/recorder.ts';
import { WatchedOutbox } from './watched-outbox.ts';

const pool = 'lobby';
const sessionId = (n: number) => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const started = (n: number): SessionFact => ({
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
let lines: { level: number; msg: string; sessionId?: string }[];
let logged: EventEmitter;
let recorder: Recorder;

beforeAll(async () => {
  database = await createTemporaryDatabase();
  await applyMigrations(database.url);
  sessionLog = new PrismaSessionLog(database.url);
});

afterAll(async () => {
  await sessionLog.close();
  await database.drop();
});

beforeEach(async () => {
  await database.query('TRUNCATE "ChatSession"');
  outbox = new WatchedOutbox();
  metrics = new Metrics();
  lines = [];
  logged = new EventEmitter();
  recorder = newRecorder(sessionLog);
});

afterEach(() => recorder.stop());

function newRecorder(log: Pick<SessionLog, 'write'>): Recorder {
  const logger = pino(
    {},
    {
      write: (line: string) => {
        lines.push(JSON.parse(line));
        logged.emit('line');
      },
    },
  );
  return new Recorder({
    pool,
    outbox,
    sessionLog: { check: () => sessionLog.check(), write: facts => log.write(facts) },
    batchSize: 10,
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

const metric = async (name: string, labels: Record<string, string> = {}) => {
  const found = await metrics.registry.getSingleMetric(`passerby_recorder_${name}`)?.get();
  return found?.values.find(({ labels: l }) => Object.entries(labels).every(([k, v]) => l[k] === v))?.value;
};

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

  it('loses nothing while PostgreSQL refuses to serve, and logs the change and not every try', async () => {
    await database.query('ALTER TABLE "ChatSession" RENAME TO gone');
    add(...range(3).map(started));
    recorder.start();
    await line('Recording is interrupted (write fails)');
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
    await line('Recording is interrupted (read fails)');
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
    await line('Recording is interrupted (remove fails)');
    expect(await recorded()).toEqual([sessionId(1)]);
    await recorder.stop();

    outbox.failWith = undefined;
    recorder = newRecorder(sessionLog);
    recorder.start();
    await outbox.shrunkTo(0);
    expect(await recorded()).toEqual([sessionId(1)]);
  });

  it('finds refused facts, leaves them in the outbox, and records all others', async () => {
    add(...range(8).map(n => (n === 2 || n === 5 ? refused(n) : started(n))));
    recorder.start();
    await outbox.shrunkTo(2);
    expect(await recorded()).toEqual([0, 1, 3, 4, 6, 7].map(sessionId));
    await line('is refused');
    expect(lines.filter(({ level }) => level >= 50).map(entry => entry.sessionId)).toEqual([2, 5].map(sessionId));

    add(...range(10).map(n => started(n + 10)));
    await outbox.shrunkTo(2);
    expect(await left()).toEqual([2, 5].map(sessionId));
    expect(await metric('refused_facts')).toBe(2);
    expect(await metric('failures_total')).toBeUndefined();
  });

  it('leaves entries that it cannot read in the outbox, tells of each once, and records all others', async () => {
    for (const n of range(12)) outbox.unreadable.add(sessionId(n));
    add(...range(15).map(started));
    recorder.start();
    await outbox.shrunkTo(12);
    expect(await recorded()).toEqual([12, 13, 14].map(sessionId));
    add(started(15));
    await outbox.shrunkTo(12);
    expect(await recorded()).toEqual([12, 13, 14, 15].map(sessionId));

    const told = lines.filter(({ level }) => level >= 50);
    const ids = (await outbox.read(20, 0)).map(({ id }) => id);
    expect(told).toEqual(ids.map(entryId => expect.objectContaining({ entryId, problem: 'It is in cipher.' })));
    expect(await metric('refused_facts')).toBe(12);
    expect(await metric('failures_total')).toBeUndefined();
  });

  it('is not stopped by more refused facts than a batch holds', async () => {
    add(...range(15).map(refused), started(20));
    recorder.start();
    await outbox.shrunkTo(15);
    expect(await recorded()).toEqual([sessionId(20)]);
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
    await line('Recording is interrupted (write fails)');
    expect(recorder.isRecording).toBe(false);
    await database.query('ALTER TABLE gone RENAME TO "ChatSession"');
    await line('Recording.');
    expect(recorder.isRecording).toBe(true);
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
    await line('write fails');
    await recorder.stop();
    expect(await left()).toHaveLength(1);
  });
});
