import type { SessionFact } from '@passerby/core';
import { RedisPool } from '../../../../tests/support/redis-pool.ts';
import { type MatchProcess, startMatcher } from '../../src/bench/match-process.ts';

let pool: RedisPool;
let worker: MatchProcess;

beforeEach(async () => {
  pool = new RedisPool();
  worker = startMatcher();
  await worker.tell('startPasserby', { redisUrl: pool.url, prefix: pool.prefix });
});

afterEach(async () => {
  await worker.stop();
  const redis = await pool.connect();
  await redis.del(await redis.keys(`${pool.prefix}:*`));
  await pool.close();
});

/** How far the end of each session lies behind its beginning, in facts. */
function distances(facts: readonly SessionFact[]): number[] {
  const began = new Map<string, number>();
  return facts.flatMap(({ kind, sessionId }, at) => {
    const from = began.get(sessionId);
    if (kind === 'started') began.set(sessionId, at);
    return kind === 'ended' && from !== undefined ? [at - from] : [];
  });
}

describe('chats of the matching benchmarks', () => {
  it('go on while so many others begin', async () => {
    const made = await worker.tell('match', { matches: 1000, chats: 300, atOnce: 20 });
    const found = distances(await pool.facts());
    expect(found).toHaveLength(made - 300);
    // Those of 20 at once may pass one another.
    expect(Math.min(...found)).toBeGreaterThan(300 - 2 * 20);
    expect(Math.min(...found.slice(300))).toBeGreaterThan(2 * (300 - 2 * 20));
  });

  it('can all begin before the first ends', async () => {
    const made = await worker.tell('match', { matches: 300, chats: Number.POSITIVE_INFINITY });
    await worker.tell('endAll');
    const kinds = (await pool.facts()).map(({ kind }) => kind);
    expect(kinds).toEqual([...Array(made).fill('started'), ...Array(made).fill('ended')]);
  });
});
