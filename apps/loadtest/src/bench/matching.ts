import { setTimeout as delay } from 'node:timers/promises';
import { connect } from './connect.ts';
import { metered, sum } from './cpu-time.ts';
import { inRounds } from './in-rounds.ts';
import { type MatchProcess, startMatcher } from './match-process.ts';
import type { Goal, Row } from './row.ts';
import type { Scenario } from './scenario.ts';

const matches = { passerby: 20_000, naive: 2_000 };
/**
 * How many chats go on. Between the beginning of one and its end lie twice as many facts: more than the recorder takes in a
 * batch (2,000), which would write both at once.
 */
const chats = 2000;
const sessions = { passerby: 20_000, naive: 2_000 };
const outboxKey = (prefix: string) => `${prefix}:{lobby}:outbox`;

/**
 * Matches, without connections: each match is two searches, and the end of the oldest chat. All is in PostgreSQL before it
 * counts.
 */
export const matching: Scenario = async bench => {
  const { servers, scale } = bench;
  const [passerby, naiveRedis, postgres] = await Promise.all([
    servers.passerby({ nodes: 0 }),
    servers.redis(),
    servers.postgres(),
  ]);
  const ours = startMatcher();
  const naive = startMatcher();
  try {
    await ours.tell('startPasserby', { redisUrl: passerby.redisUrl });
    await naive.tell('startNaive', { redisUrl: naiveRedis.url, databaseUrl: postgres.url });
    const going = { chats: chats * scale };
    for (const worker of [ours, naive]) {
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
    const { redis, recording } = passerby.processes;
    const naiveServers = { redis: [pidOf(naiveRedis.process)], recording: [pidOf(postgres.process)] };
    const [our = [], other = []] = await inRounds(bench, [
      turn(ours, { redis, recording }, matches.passerby * scale),
      turn(naive, naiveServers, matches.naive * scale),
    ]);
    const row = (what: string, unit: string, part: keyof (typeof our)[number], goal?: Goal): Row => ({
      ...{ what, unit, ours: our.map(turn => turn[part]) },
      ...{ other: { name: 'naive', values: other.map(turn => turn[part]) }, ...(goal && { goal }) },
    });
    return [
      row('matching, recorded', 'matches/s', 'perSecond', { of: 'ratio', atLeast: 10 }),
      row('matching, CPU per match', 'µs', 'all'),
      row('matching, CPU per match, the node', 'µs', 'matcher'),
      row('matching, CPU per match, Redis', 'µs', 'redis'),
      row('matching, CPU per match, recorder and PostgreSQL', 'µs', 'recording'),
    ];
  } finally {
    await Promise.all([ours.stop(), naive.stop()]);
  }
};

/**
 * Sessions that wait in the outbox are recorded; the naive writer creates and updates a row for each. Ours is written twice,
 * too: all have begun before the first ends, so that no batch holds both facts of one.
 */
export const recording: Scenario = async bench => {
  const { servers, scale } = bench;
  const [passerby, unused, postgres] = await Promise.all([
    servers.passerby({ nodes: 0 }),
    servers.redis(),
    servers.postgres(),
  ]);
  const ours = startMatcher();
  const naive = startMatcher();
  const redis = connect(passerby.redisUrl);
  try {
    // In another pool, which no recorder watches, until its outbox is handed over.
    await ours.tell('startPasserby', { redisUrl: passerby.redisUrl, prefix: 'aside' });
    await naive.tell('startNaive', { redisUrl: unused.url, databaseUrl: postgres.url });
    const record = async () => {
      const count = await ours.tell('match', { matches: sessions.passerby * scale, chats: Number.POSITIVE_INFINITY });
      await ours.tell('endAll');
      const { cpuUs, seconds } = await metered(passerby.processes, async () => {
        await redis.rename(outboxKey('aside'), outboxKey('passerby'));
        while ((await redis.xlen(outboxKey('passerby'))) > 0) await delay(5);
      });
      return { perSecond: count / seconds, cpuUs: sum(Object.values(cpuUs)) / count };
    };
    const write = async () => {
      const count = sessions.naive * scale;
      const processes = { writer: [naive.pid], postgres: [pidOf(postgres.process)] };
      const { cpuUs, seconds } = await metered(processes, () => naive.tell('write', { count }));
      return { perSecond: count / seconds, cpuUs: sum(Object.values(cpuUs)) / count };
    };
    const [our = [], other = []] = await inRounds(bench, [record, write]);
    const name = 'naive: create, update';
    return [
      {
        ...{ what: 'sessions recorded', unit: 'sessions/s', ours: our.map(({ perSecond }) => perSecond) },
        other: { name, values: other.map(({ perSecond }) => perSecond) },
        goal: { of: 'ratio', atLeast: 20 },
      },
      {
        ...{ what: 'sessions recorded, CPU per session', unit: 'µs', ours: our.map(({ cpuUs }) => cpuUs) },
        other: { name, values: other.map(({ cpuUs }) => cpuUs) },
      },
    ];
  } finally {
    redis.disconnect();
    await Promise.all([ours.stop(), naive.stop()]);
  }
};

function pidOf({ pid }: { pid: number | undefined }): number {
  return pid ?? Number.NaN;
}
