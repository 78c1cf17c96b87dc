import { LeaseLost, type NodeMessage, type SessionFact, type UserChange } from '@passerby/core';
import fc from 'fast-check';
import { memoryStoreBench } from '../../core/test/memory-store-bench.ts';
import type { StoreBench } from '../../core/test/pair-store-contract.ts';
import { readFacts } from '../../core/test/read-facts.ts';
import { redisStoreBench } from './redis-store-bench.ts';

const leaseMs = 600_000;
const nodes = ['n1', 'n2', 'n3'];
const userCount = 6;

type UserStep = { kind: 'search' | 'skip' | 'end' | 'disconnect' | 'repeat' | 'stale skip'; user: number };
type NodeStep = { kind: 'lapse' | 'reap'; node: number };
type Step = UserStep | NodeStep;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: userStep('search') },
  { weight: 4, arbitrary: userStep('skip') },
  { weight: 3, arbitrary: userStep('end') },
  { weight: 2, arbitrary: userStep('disconnect') },
  { weight: 3, arbitrary: userStep('repeat') },
  { weight: 1, arbitrary: userStep('stale skip') },
  { weight: 1, arbitrary: nodeStep('lapse') },
  { weight: 1, arbitrary: nodeStep('reap') },
);

function userStep(kind: UserStep['kind']): fc.Arbitrary<Step> {
  return fc.record({ kind: fc.constant(kind), user: fc.nat(userCount - 1) });
}

function nodeStep(kind: NodeStep['kind']): fc.Arbitrary<Step> {
  return fc.record({ kind: fc.constant(kind), node: fc.nat(nodes.length - 1) });
}

/** All that can be seen of a step from outside. */
interface Seen {
  reply: unknown;
  notices: Record<string, NodeMessage[]>;
  facts: SessionFact[];
}

/** Gives the same steps to one store; its ids depend on the steps alone, so two stores can be compared. */
class Driver {
  readonly #bench: StoreBench;
  /** A lapsed node's place is taken by a new node, with another id. */
  readonly #nodeIds = [...nodes];
  readonly #connections = Array.from({ length: userCount }, () => 0);
  readonly #sessions = new Map<string, string>();
  readonly #last = new Map<number, () => Promise<UserChange[]>>();
  #count = 0;

  constructor(bench: StoreBench) {
    this.#bench = bench;
  }

  async start(): Promise<void> {
    for (const nodeId of this.#nodeIds) await this.#begin(nodeId);
  }

  async take(step: Step): Promise<Seen> {
    const reply = await this.#carryOut(step).catch((error: unknown) => {
      if (error instanceof LeaseLost) return 'lease lost';
      throw error;
    });
    const notices: Record<string, NodeMessage[]> = {};
    for (const nodeId of this.#nodeIds) notices[nodeId] = await this.#bench.received(nodeId);
    const facts = await readFacts(this.#bench.outbox);
    return { reply, notices, facts };
  }

  async finish(): Promise<void> {
    for (const nodeId of this.#nodeIds) {
      await this.#bench.store.releaseLease(nodeId);
      await this.#bench.store.reap(nodeId, 1000);
    }
    await this.#bench.close();
  }

  async #carryOut(step: Step): Promise<unknown> {
    this.#count++;
    if ('node' in step) return this.#renewNode(step.kind, step.node);
    if (step.kind === 'repeat') return this.#last.get(step.user)?.();
    // A user who comes back after a disconnection is another user.
    const userId = `u${step.user}-${this.#connections[step.user]}`;
    const nodeId = this.#nodeIds[step.user % nodes.length] ?? '';
    const command = this.#command(step.kind, { userId, nodeId, requestId: this.#count });
    if (step.kind === 'disconnect') {
      this.#connections[step.user] = (this.#connections[step.user] ?? 0) + 1;
      this.#last.delete(step.user);
    } else {
      this.#last.set(step.user, command);
    }
    const changes = await command();
    for (const change of changes) {
      if (change.state === 'paired') this.#sessions.set(change.userId, change.session.sessionId);
    }
    return changes;
  }

  #command(kind: UserStep['kind'], user: { userId: string; nodeId: string; requestId: number }) {
    const { store } = this.#bench;
    const sessionId = `s${user.requestId}`;
    if (kind === 'search') return () => store.search({ ...user, sessionId });
    if (kind === 'skip' || kind === 'stale skip') {
      const named = kind === 'skip' ? this.#sessions.get(user.userId) : 'a session of others';
      const skip = { sessionId: named ?? 'none', messages: user.requestId };
      return () => store.search({ ...user, sessionId, skip });
    }
    const forget = kind === 'disconnect';
    return () => store.leave({ ...user, reason: forget ? 'disconnect' : 'end', messages: user.requestId, forget });
  }

  async #renewNode(kind: NodeStep['kind'], place: number): Promise<unknown> {
    const nodeId = this.#nodeIds[place] ?? '';
    if (kind === 'reap') return this.#bench.store.reap(nodeId, 1000);
    await this.#bench.store.releaseLease(nodeId);
    const { lapsed } = await this.#bench.store.renewLease(this.#nodeIds[(place + 1) % nodes.length] ?? '', leaseMs);
    const left = await this.#bench.store.reap(nodeId, 1000);
    for (let user = place; user < userCount; user += nodes.length) {
      this.#connections[user] = (this.#connections[user] ?? 0) + 1;
      this.#last.delete(user);
    }
    this.#nodeIds[place] = `n${place}-${this.#count}`;
    await this.#begin(this.#nodeIds[place]);
    return { lapsed, left };
  }

  async #begin(nodeId: string): Promise<void> {
    await this.#bench.store.register(nodeId, leaseMs);
    await this.#bench.listen(nodeId);
  }
}

/** For comparison: without times, and without the order in which one step told several users, which nobody may rely on. */
function sorted({ reply, notices, facts }: Seen): unknown {
  const inOrder = (values: unknown[]) => values.map(value => canonical(value)).sort();
  const told = Object.entries(notices).map(([nodeId, messages]) => [nodeId, inOrder(messages)]);
  return { reply: canonical(reply), told, facts: inOrder(facts) };
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (key, field) => {
    if (key === 'startedAt' || key === 'endedAt') return undefined;
    const isRecord = typeof field === 'object' && field !== null && !Array.isArray(field);
    return isRecord ? Object.fromEntries(Object.entries(field).sort()) : field;
  });
}

/** What must hold whatever was done: each session began once, ended at most once, and no user is in two. */
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

it('does in Redis what the model does, whatever the commands', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async steps => {
      const model = new Driver(await memoryStoreBench());
      const redis = new Driver(await redisStoreBench());
      try {
        await Promise.all([model.start(), redis.start()]);
        for (const each of steps) {
          const seen = await redis.take(each);
          checkFacts(seen.facts);
          expect(sorted(seen)).toEqual(sorted(await model.take(each)));
        }
      } finally {
        await Promise.all([model.finish(), redis.finish()]);
      }
    }),
    { numRuns: 50 },
  );
}, 120_000);
