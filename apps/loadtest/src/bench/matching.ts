import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from '@passerby/cluster';
import { connect } from './connect.ts';
import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type MatchProcess, startMatcher } from './match-process.ts';
import type { Row } from './row.ts';
import type { Scenario } from './scenario.ts';

const matches = { naive: 2_000, others: 20_000 };
/**
 * How many chats go on. Between the beginning of one and its end lie twice as many facts: more than the recorder takes in a
 * batch (2,000), which would write both at once.
 */
const chats = 2000;
const sessions = { naive: 2_000, others: 20_000 };
const outboxKey = (prefix: string) => `${prefix}:{lobby}:outbox`;

/**
 * Matches, without connections: each match is two searches, and the end of the oldest chat. All is in PostgreSQL before it
 * counts.
 */
export const matching: Scenario = async bench => {
  const { servers, scale } = bench;
  const [passerby, recorder, naiveRedis, bareRedis, postgres] = await Promise.all([
    servers.passerby({ nodes: 0 }),
    servers.passerby({ nodes: 0 }),
    servers.redis(),
    servers.redis(),
    servers.postgres(),
  ]);
  const [ours, naive, bare, recorded] = [startMatcher(), startMatcher(), startMatcher(), startMatcher()];
  const workers = [ours, naive, bare, recorded];
  try {
    await ours.tell('startPasserby', { redisUrl: passerby.redisUrl });
    await naive.tell('startNaive', { redisUrl: naiveRedis.url, databaseUrl: postgres.url });
    await bare.tell('startBare', { redisUrl: bareRedis.url, databaseUrl: postgres.url });
    await recorded.tell('startBare', { redisUrl: recorder.redisUrl });
    const going = { chats: chats * scale };
    for (const worker of workers) {
      await worker.tell('match', { matches: going.chats, ...going });
      await worker.tell('recorded');
    }
    const turn =
      (worker: MatchProcess, servers: { redis: number[]; recording: number[] }, count: number) => async () => {
        const { result, cpuUs, seconds } = await metered({ matcher: [worker.pid], ...servers }, async () => {
          const made = await worker.tell('match', { matches: count, ...going });
          await worker.tell('recorded');
          return made;
        });
        const [matcher = 0, redis = 0, recording = 0] = [cpuUs.matcher, cpuUs.redis, cpuUs.recording].map(
          us => us / result,
        );
        return { perSecond: result / seconds, all: matcher + redis + recording, matcher, redis, recording };
      };
    const others = (redis: RedisServer) => ({
      redis: [pidOf(redis.process)],
      recording: [pidOf(postgres.process)],
    });
    const [our = [], other = [], leastRecorded = [], least = []] = await inRounds(bench, [
      turn(ours, passerby.processes, matches.others * scale),
      turn(naive, others(naiveRedis), matches.naive * scale),
      turn(recorded, recorder.processes, matches.others * scale),
      turn(bare, others(bareRedis), matches.others * scale),
    ]);
    const row = (what: string, unit: string, part: keyof (typeof our)[number], turns = our): Row => ({
      ...{ what, unit, ours: turns.map(turn => turn[part]) },
      other: { name: 'naive', values: other.map(turn => turn[part]) },
    });
    return [
      { ...row('matching, recorded', 'matches/s', 'perSecond'), goal: { of: 'ratio', atLeast: 10 } },
      row('matching, CPU per match', 'µs', 'all'),
      row('matching, CPU per match, the node', 'µs', 'matcher'),
      row('matching, CPU per match, Redis', 'µs', 'redis'),
      row('matching, CPU per match, recorder and PostgreSQL', 'µs', 'recording'),
      // What is left when all that decides and checks is taken away.
      row('matching, bare commands and the recorder', 'matches/s', 'perSecond', leastRecorded),
      row('matching, bare commands and the recorder, CPU per match', 'µs', 'all', leastRecorded),
      // And when all that keeps a fact until it is recorded is taken away, too.
      row('matching, bare commands', 'matches/s', 'perSecond', least),
      row('matching, bare commands, CPU per match', 'µs', 'all', least),
    ];
  } finally {
    await Promise.all(workers.map(worker => worker.stop()));
  }
};

/**
 * Sessions that wait in the outbox are recorded; the naive writer creates and updates a row for each. Ours is written twice,
 * too: all have begun before the first ends, so that no batch holds both facts of one. So do the bare statements.
 */
export const recording: Scenario = async bench => {
  const { servers, scale } = bench;
  const [passerby, unused, postgres] = await Promise.all([
    servers.passerby({ nodes: 0 }),
    servers.redis(),
    servers.postgres(),
  ]);
  const [ours, naive, bare, least] = [startMatcher(), startMatcher(), startMatcher(), startMatcher()];
  const redis = connect(passerby.redisUrl);
  try {
    // In another pool, which no recorder watches, until its outbox is handed over.
    await ours.tell('startPasserby', { redisUrl: passerby.redisUrl, prefix: 'aside' });
    const elsewhere = { redisUrl: unused.url, databaseUrl: postgres.url };
    await naive.tell('startNaive', elsewhere);
    await bare.tell('startBare', elsewhere);
    await least.tell('startBareRecorder', { redisUrl: passerby.redisUrl, databaseUrl: postgres.url });
    const turn = async (count: number, processes: Record<string, readonly number[]>, work: () => Promise<void>) => {
      const { cpuUs, seconds } = await metered(processes, work);
      return { perSecond: count / seconds, cpuUs: sum(Object.values(cpuUs)) / count };
    };
    /** @returns how many sessions have begun and ended in the outbox of the other pool */
    const fill = async () => {
      const count = await ours.tell('match', { matches: sessions.others * scale, chats: Number.POSITIVE_INFINITY });
      await ours.tell('endAll');
      return count;
    };
    const { redis: ofRedis } = passerby.processes;
    const ofPostgres = [pidOf(postgres.process)];
    const ofNaive = { count: sessions.naive * scale };
    const ofBare = { count: sessions.others * scale };
    const [our = [], other = [], bareRecorder = [], bareStatements = []] = await inRounds(bench, [
      async () =>
        turn(await fill(), passerby.processes, async () => {
          await redis.rename(outboxKey('aside'), outboxKey('passerby'));
          while ((await redis.xlen(outboxKey('passerby'))) > 0) await delay(5);
        }),
      () => turn(ofNaive.count, { naive: [naive.pid], ofPostgres }, () => naive.tell('write', ofNaive)),
      async () =>
        turn(await fill(), { least: [least.pid], ofRedis, ofPostgres }, () =>
          least.tell('record', { outbox: outboxKey('aside') }),
        ),
      async () => {
        await bare.tell('prepareBatches', ofBare);
        return turn(ofBare.count, { bare: [bare.pid], ofPostgres }, () => bare.tell('writeBatches'));
      },
    ]);
    const row = (what: string, unit: string, part: keyof (typeof our)[number], turns = our): Row => ({
      ...{ what, unit, ours: turns.map(turn => turn[part]) },
      other: { name: 'naive: create, update', values: other.map(turn => turn[part]) },
    });
    return [
      { ...row('sessions recorded', 'sessions/s', 'perSecond'), goal: { of: 'ratio', atLeast: 20 } },
      row('sessions recorded, CPU per session', 'µs', 'cpuUs'),
      // What is left when all that checks, repeats, tells and copes with any order is taken away.
      row('from the outbox by bare statements', 'sessions/s', 'perSecond', bareRecorder),
      row('from the outbox by bare statements, CPU per session', 'µs', 'cpuUs', bareRecorder),
      // And what PostgreSQL itself takes to write a row twice, one statement at a time.
      row('the two statements alone', 'sessions/s', 'perSecond', bareStatements),
      row('the two statements alone, CPU per session', 'µs', 'cpuUs', bareStatements),
    ];
  } finally {
    redis.disconnect();
    await Promise.all([ours, naive, bare, least].map(worker => worker.stop()));
  }
};

function pidOf({ pid }: { pid: number | undefined }): number {
  return pid ?? Number.NaN;
}
