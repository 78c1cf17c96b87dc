import { setTimeout as delay } from 'node:timers/promises';
import { now } from '../src/clock.ts';
import { LoadWorker } from '../src/load-worker.ts';
import { RunRecord } from '../src/run-record.ts';
import { LittleChatServer, type LittleChatServerOptions } from './little-chat-server.ts';

/** Two users write at least 20 messages to each other, of which the server leaves some without an answer; it delivers all. */
async function settled({ silent, complete }: { silent: readonly number[]; complete: boolean }) {
  const server = await LittleChatServer.start({
    relay: (message, deliver, { silence }) => {
      if (silent.includes(message)) silence();
      deliver();
    },
  });
  const worker = new LoadWorker();
  try {
    worker.start({
      ...{ scenario: 'relay', run: 'r1', targets: [server.url], users: 2, index: 0, workers: 1 },
      ...{ messageCharacters: 100, talkMs: 0, at: now(), rampMs: 0 },
    });
    await worker.ready();
    worker.load({ at: now(), durationMs: 200, perSecond: 100 });
    while (worker.underway().received < 20) await delay(5);
    worker.stop();
    const { sent } = worker.news().tally;
    const isOver = () => {
      const { accepted, received } = worker.underway();
      return received === sent && accepted === sent - silent.length;
    };
    while (!isOver()) await delay(5);
    const { tally, complaints, sides } = worker.settle(complete);
    return { mismatches: tally.mismatches, complaints, sides };
  } finally {
    worker.close();
    await server.close();
  }
}

describe('messages without an answer', () => {
  it('are a mismatch, once for each user and session, when all had time to be answered', async () => {
    const { mismatches, complaints, sides } = await settled({ silent: [2, 3, 4, 9], complete: true });
    const numbers = sides.map(({ unanswered }) => unanswered.length);
    expect(numbers.reduce((sum, count) => sum + count)).toBe(4);
    const users = numbers.filter(count => count > 0);
    expect(mismatches).toEqual({ unanswered: users.length });
    expect(complaints).toEqual(users.map(() => 'A message in session-1 was never answered.'));
  });

  it('are none when all are answered, or when there was no time for it', async () => {
    expect((await settled({ silent: [], complete: true })).mismatches).toEqual({});
    expect((await settled({ silent: [2], complete: false })).mismatches).toEqual({});
  });
});

/** Four users search, and until some are matched, or all wait. What comes of it is said a while later. */
async function searched({
  matching,
  until,
}: Pick<LittleChatServerOptions, 'matching'> & { until: 'matched' | 'asked' }) {
  const server = await LittleChatServer.start({ ...(matching && { matching }) });
  const worker = new LoadWorker();
  const record = new RunRecord(performance.now());
  try {
    worker.start({
      ...{ scenario: 'relay', run: 'r1', targets: [server.url], users: 4, index: 0, workers: 1 },
      ...{ messageCharacters: 100, talkMs: 0, at: now(), rampMs: 0 },
    });
    let matches = 0;
    while (until === 'matched' ? matches < 1 : server.searches < 4) {
      await delay(5);
      matches += record.add([worker.news()], []).matches;
    }
    worker.stop();
    while (matching?.answers !== false && worker.underway().pending) await delay(5);
    const { pending } = worker.underway();
    const time = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => time() + 10_000);
    const end = worker.settle(true);
    record.add([end], []);
    const { mismatches } = record.result(now());
    return { pending, mismatches, away: end.away, waiting: end.waiting };
  } finally {
    jest.restoreAllMocks();
    worker.close();
    await server.close();
  }
}

it('counts the searches that were due, and for which nobody was free', async () => {
  const server = await LittleChatServer.start({ matching: { pairs: false } });
  const worker = new LoadWorker();
  try {
    worker.start({
      ...{ scenario: 'match', run: 'r1', targets: [server.url], users: 2, index: 0, workers: 1 },
      ...{ messageCharacters: 100, talkMs: 0, at: now(), rampMs: 0 },
    });
    await worker.ready();
    worker.load({ at: now() - 100, durationMs: 1000, perSecond: 100 });
    while (server.searches < 2) await delay(5);
    worker.stop();
    worker.stop();
    // In 100 ms eleven were due, for two users.
    expect(worker.news().tally.errors.NOBODY_FREE).toBeGreaterThanOrEqual(9);
    expect(worker.news().tally.errors).toEqual({});
  } finally {
    worker.close();
    await server.close();
  }
});

describe('users who search', () => {
  it('and are never answered are a mismatch each, and were waited for', async () => {
    const seen = await searched({ matching: { pairs: false, answers: false }, until: 'asked' });
    expect(seen).toMatchObject({ pending: true, mismatches: { unanswered: 4 } });
  });

  it('and never get a partner are counted', async () => {
    const seen = await searched({ matching: { pairs: false }, until: 'asked' });
    expect(seen).toMatchObject({ mismatches: {}, away: 0, waiting: 4 });
  });

  it('and get a partner who is never told make a session of one side', async () => {
    const { mismatches } = await searched({ matching: { tellsBoth: false }, until: 'matched' });
    expect(mismatches).toEqual({ 'one side': 2 });
  });
});
