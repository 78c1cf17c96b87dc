import type { SessionFact } from '@passerby/core';
import fc from 'fast-check';
import { memoryStoreBench } from '../../core/test/memory-store-bench.ts';
import { auditRegistry } from './audit-registry.ts';
import { PairStoreDriver, type Seen, type Step, steps } from './pair-store-driver.ts';
import { redisStoreBench } from './redis-store-bench.ts';

/**
 * For comparison: without times, and without the order in which one step told several users, which nobody may rely on. A node
 * that is reaped listens no more, and what it would have been told depends on which of its users was taken first, by chance.
 */
function sorted({ reply, notices, facts }: Seen, step: Step): unknown {
  const inOrder = (values: unknown[]) => values.map(value => canonical(value)).sort();
  const isReaped = (nodeId: string) => step.kind === 'reap' && nodeId.startsWith(`n${step.node}-`);
  const told = Object.entries(notices).map(([nodeId, messages]) => [nodeId, isReaped(nodeId) ? [] : inOrder(messages)]);
  return { reply: canonical(reply), told, facts: inOrder(facts) };
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (key, field) => {
    if (key === 'startedAt' || key === 'endedAt') return undefined;
    const isRecord = typeof field === 'object' && field !== null && !Array.isArray(field);
    return isRecord ? Object.fromEntries(Object.entries(field).sort()) : field;
  });
}

/** What must hold as long as nothing was restored: a session begins once, ends at most once, and no user is in two. */
function checkFacts(facts: SessionFact[]): void {
  const open = new Map<string, string>();
  for (const { kind, sessionId, userA, userB } of facts) {
    if (kind === 'ended') expect([open.get(userA), open.get(userB)]).toEqual([sessionId, sessionId]);
    else expect([open.has(userA), open.has(userB), userA === userB]).toEqual([false, false, false]);
    for (const user of [userA, userB]) {
      if (kind === 'ended') open.delete(user);
      else open.set(user, sessionId);
    }
  }
}

/** What must hold always: all facts of a session tell of the same session. */
function checkSessions(facts: SessionFact[]): void {
  const sessions = new Map<string, unknown>();
  for (const { sessionId, userA, userB, startedAt } of facts) {
    const session = { userA, userB, startedAt };
    expect(sessions.get(sessionId) ?? session).toEqual(session);
    sessions.set(sessionId, session);
  }
}

/** Whether a step can bring back what the registry had lost, or had been told to forget. */
function restores({ kind }: Step): boolean {
  return kind === 'lose data' || kind.startsWith('sync');
}

async function compare(all: Step[]): Promise<void> {
  const redisBench = await redisStoreBench();
  const model = new PairStoreDriver(await memoryStoreBench());
  const redis = new PairStoreDriver(redisBench);
  let restored = false;
  await Promise.all([model.start(), redis.start()]);
  try {
    for (const step of all) {
      const seen = await redis.take(step);
      expect(sorted(seen, step)).toEqual(sorted(await model.take(step), step));
      const unconfirmed = await auditRegistry(redisBench.redis, redisBench.pool.location);
      checkSessions(seen.facts);
      restored ||= restores(step);
      if (restored) continue;
      checkFacts(seen.facts);
      expect(unconfirmed).toEqual([]);
    }
    await Promise.all([model.finish(), redis.finish()]);
  } catch (error) {
    await redisBench.loseData();
    await redisBench.pool.close();
    throw error;
  }
}

describe('the model and Redis', () => {
  // The same partner is drawn in both: the one who has waited for the longest.
  beforeEach(() => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('do the same, whatever the commands', async () => {
    await fc.assert(fc.asyncProperty(steps, compare), { numRuns: 30 });
  }, 240_000);
});
