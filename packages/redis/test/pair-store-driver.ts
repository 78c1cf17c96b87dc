import { type KnownUser, LeaseLost, type NodeMessage, type SessionFact, type UserChange } from '@passerby/core';
import fc from 'fast-check';
import { isAbsent } from '../../core/src/chat/user-change.ts';
import { readFacts } from '../../core/test/read-facts.ts';
import type { StoreBench } from '../../core/test/store-bench.ts';

const leaseMs = 600_000;
const nodeCount = 3;
const userCount = 6;

const userKinds = {
  search: 8,
  skip: 4,
  'stale skip': 1,
  end: 3,
  disconnect: 2,
  repeat: 3,
  suspend: 3,
  'suspend for long': 1,
  disown: 1,
  'stale search': 1,
  'stale end': 1,
} as const;
const tokens = { present: 3, previous: 1, old: 1, wrong: 1 } as const;
const nodeKinds = {
  reap: 1,
  lapse: 1,
  renew: 1,
  die: 1,
  sync: 2,
  'sync what it was told': 2,
  'sync after a setback': 1,
  'sync after a lost move': 1,
  'lose data': 0.4,
  'search together': 3,
  'skip together': 2,
  'end together': 1,
} as const;

type UserKind = keyof typeof userKinds;
type Token = keyof typeof tokens;
type NodeKind = keyof typeof nodeKinds;
/** What all users of a node do in one turn of its event loop. */
const together = { 'search together': 'search', 'skip together': 'skip', 'end together': 'end' } as const;

/** What is done to a store. Users and nodes are places: who takes a place after somebody else is another one. */
export type Step =
  | { kind: UserKind; user: number }
  | { kind: 'resume'; user: number; token: Token; node: number }
  | { kind: 'expire' }
  | { kind: NodeKind; node: number };

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    ...entriesOf(userKinds).map(([kind, weight]) => ({
      weight: weight * 5,
      arbitrary: fc.record({ kind: fc.constant(kind), user: fc.nat(userCount - 1) }),
    })),
    ...entriesOf(tokens).map(([token, weight]) => ({
      weight: weight * 5,
      arbitrary: fc.record({
        kind: fc.constant('resume' as const),
        user: fc.nat(userCount - 1),
        token: fc.constant(token),
        node: fc.nat(nodeCount - 1),
      }),
    })),
    { weight: 5, arbitrary: fc.constant({ kind: 'expire' as const }) },
    ...entriesOf(nodeKinds).map(([kind, weight]) => ({
      weight: weight * 5,
      arbitrary: fc.record({ kind: fc.constant(kind), node: fc.nat(nodeCount - 1) }),
    })),
  ),
  { maxLength: 60, size: 'max' },
);

/** All that can be seen of a step from outside. */
export interface Seen {
  reply: unknown;
  notices: Record<string, NodeMessage[]>;
  facts: SessionFact[];
}

/** What the nodes of this test know of one user. */
interface Visitor {
  userId: string;
  /** The place of the node that the user connected to last, and that of the one before. */
  node: number;
  nodeBefore: number;
  /** All that the user ever had, oldest first. None: a plain user. */
  tokens: string[];
  /** The user's newest change in a reply, and the newest of all. */
  replied: UserChange | undefined;
  newest: UserChange | undefined;
  parted: string | undefined;
  last: (() => Promise<UserChange[]>) | undefined;
}

/** Gives the same steps to one store; its ids depend on the steps alone, so two stores can be compared. */
export class PairStoreDriver {
  readonly #bench: StoreBench;
  /** The node that is in a place now. */
  readonly #nodeIds = Array.from({ length: nodeCount }, (_, place) => `n${place}`);
  readonly #visitors: Visitor[] = [];
  /** Those whose place somebody else took. */
  readonly #former: Visitor[] = [];
  readonly #epochs: string[] = [];
  #count = 0;

  constructor(bench: StoreBench) {
    this.#bench = bench;
    for (let place = 0; place < userCount; place++) this.#visitors.push(newVisitor(place, 0));
  }

  async start(): Promise<void> {
    for (const place of this.#nodeIds.keys()) await this.#begin(place);
  }

  async take(step: Step): Promise<Seen> {
    this.#count++;
    const reply = await this.#carryOut(step).catch((error: unknown) => {
      if (error instanceof LeaseLost) return 'lease lost';
      throw error;
    });
    const seen = this.#nodeIds.map(async nodeId => [nodeId, await this.#bench.received(nodeId)] as const);
    const [facts, ...notices] = await Promise.all([readFacts(this.#bench.outbox), ...seen]);
    for (const message of notices.flatMap(([, messages]) => messages)) {
      if (message.kind === 'change') this.#learn([message.change], false);
    }
    return { reply, notices: Object.fromEntries(notices), facts };
  }

  /** Fails if anything is left then that is not said to stay. */
  async finish(): Promise<void> {
    const { store } = this.#bench;
    for (const nodeId of this.#nodeIds) {
      await store.releaseLease(nodeId);
      expect(await store.reap({ nodeId, limit: 1000, graceMs: 0 })).toBe(0);
    }
    expect(await store.expire(1000)).toBe(0);
    // Who may be away for long can only be taken back by those who know the tokens.
    await this.#begin(0);
    const nodeId = this.#nodeIds[0] ?? '';
    for (const { userId, tokens } of [...this.#visitors, ...this.#former]) {
      for (const token of tokens) await store.resume({ userId, nodeId, token, nextToken: token });
      await store.leave({ ...{ userId, nodeId, requestId: 1e6 }, reason: 'end', messages: 0, forget: true });
    }
    await store.releaseLease(nodeId);
    await store.reap({ nodeId, limit: 1000, graceMs: 0 });
    await this.#bench.close();
  }

  async #carryOut(step: Step): Promise<unknown> {
    if (step.kind === 'expire') return this.#bench.store.expire(1000);
    if ('token' in step) return this.#resume(step.user, step.token, step.node);
    if ('user' in step) return this.#command(step.kind, step.user);
    return this.#changeNode(step.kind, step.node);
  }

  async #command(kind: UserKind, place: number): Promise<unknown> {
    const visitor = this.#visitorAt(place);
    if (kind === 'repeat') return visitor.last?.();
    const stale = kind.startsWith('stale ') && kind !== 'stale skip';
    const nodeId = this.#nodeIds[stale ? visitor.nodeBefore : visitor.node] ?? '';
    const command = this.#prepare(kind, visitor, nodeId);
    if (kind === 'disconnect') this.#replace(place);
    else visitor.last = command;
    const changes = await command();
    this.#learn(changes, true);
    return changes;
  }

  async #together(kind: UserKind, place: number): Promise<UserChange[][]> {
    const nodeId = this.#nodeIds[place] ?? '';
    const visitors = this.#visitors.filter(({ node }) => node === place);
    const changes = await Promise.all(visitors.map(visitor => this.#prepare(kind, visitor, nodeId)()));
    this.#learn(changes.flat(), true);
    return changes;
  }

  #prepare(kind: UserKind, visitor: Visitor, nodeId: string): () => Promise<UserChange[]> {
    const { store } = this.#bench;
    const { userId } = visitor;
    const requestId = this.#count;
    const user = { userId, nodeId, requestId };
    // A plain user who is away for long could not be taken back in the end.
    const longMs = visitor.tokens.length > 0 ? 600_000 : 0;
    if (kind === 'disown') return () => store.disown(nodeId, [userId], requestId % 2 === 0 ? longMs : 0);
    if (kind === 'suspend') return () => store.suspend({ ...user, graceMs: 0 });
    if (kind === 'suspend for long') return () => store.suspend({ ...user, graceMs: longMs });
    if (kind === 'end' || kind === 'disconnect' || kind === 'stale end') {
      const forget = kind === 'disconnect';
      return () => store.leave({ ...user, reason: forget ? 'disconnect' : 'end', messages: requestId, forget });
    }
    const { newest } = visitor;
    const token = visitor.tokens.at(-1);
    const revision = newest?.revision ?? 0;
    const search = { ...user, revision, sessionId: `s${requestId}-${userId}`, ...(token && { token }) };
    if (kind === 'search' || kind === 'stale search') return () => store.search(search);
    const own = newest?.state === 'paired' ? newest.session.sessionId : 'none';
    const skip = { sessionId: kind === 'skip' ? own : 'a session of others', messages: requestId };
    return () => store.search({ ...search, skip });
  }

  async #resume(place: number, kind: Token, node: number): Promise<unknown> {
    const visitor = this.#visitorAt(place);
    const { tokens, userId } = visitor;
    const shown = { present: tokens.at(-1), previous: tokens.at(-2), old: tokens.at(-3), wrong: 'wrong' }[kind];
    if (!shown) return undefined;
    const nextToken = `t${this.#count}`;
    const nodeId = this.#nodeIds[node] ?? '';
    const resumed = await this.#bench.store.resume({ userId, nodeId, token: shown, nextToken });
    if (!resumed) return undefined;
    if (kind === 'old' || kind === 'wrong') throw new Error(`The token of kind ${kind} resumed ${userId}.`);
    visitor.nodeBefore = visitor.node;
    visitor.node = node;
    // As good as in this order: the one that was shown is the one before the present one now.
    visitor.tokens = [...tokens.filter(token => token !== shown), shown, nextToken];
    this.#learn(resumed.changes, true);
    return resumed;
  }

  async #changeNode(kind: NodeKind, place: number): Promise<unknown> {
    const { store } = this.#bench;
    const nodeId = this.#nodeIds[place] ?? '';
    if (kind in together) return this.#together(together[kind as keyof typeof together], place);
    if (kind === 'reap') return store.reap({ nodeId, limit: 1000, graceMs: 0 });
    if (kind === 'lapse') return this.#renew(nodeId, -1000);
    if (kind === 'lose data') return this.#bench.loseData();
    if (kind === 'sync' || kind === 'sync what it was told' || kind === 'sync after a setback')
      return this.#sync(nodeId, place, kind);
    if (kind === 'sync after a lost move') return this.#syncMoved(nodeId, place);
    if (kind === 'renew') {
      const renewal = await this.#renew(nodeId, leaseMs).catch(() => undefined);
      if (renewal) return renewal;
    } else await store.releaseLease(nodeId);
    const left = await store.reap({ nodeId, limit: 1000, graceMs: 0 });
    await this.#begin(place);
    for (const [user, visitor] of this.#visitors.entries()) {
      if (visitor.node === place && visitor.tokens.length === 0) this.#replace(user);
    }
    return left;
  }

  async #sync(nodeId: string, place: number, kind: NodeKind): Promise<UserChange[]> {
    const known = this.#visitors.flatMap(visitor => {
      const change = kind === 'sync what it was told' ? visitor.replied : visitor.newest;
      if (visitor.node !== place || !change) return [];
      // As if the store had forgotten the last two changes.
      const revision = change.revision + (kind === 'sync after a setback' ? 2 : 0);
      return this.#knownOf(visitor, { ...change, revision });
    });
    const changes = await this.#bench.store.sync(nodeId, known);
    this.#learn(changes, true);
    return changes;
  }

  /** As if users of other nodes, or away, had moved to this one, and the store had forgotten that. */
  async #syncMoved(nodeId: string, place: number): Promise<UserChange[]> {
    const moved = this.#visitors.filter(({ node, tokens }) => node !== place && tokens.length > 0);
    const known = moved.flatMap(({ ...visitor }) => {
      const { newest, tokens } = visitor;
      if (!newest) return [];
      visitor.tokens = [...tokens, `t${this.#count}`];
      return this.#knownOf(visitor, { ...newest, revision: newest.revision + 1 });
    });
    const changes = await this.#bench.store.sync(nodeId, known);
    for (const change of changes) {
      const visitor = moved.find(({ userId }) => userId === change.userId);
      if (!visitor || isAbsent(change)) continue;
      visitor.nodeBefore = visitor.node;
      visitor.node = place;
      visitor.tokens.push(`t${this.#count}`);
    }
    this.#learn(changes, true);
    return changes;
  }

  #knownOf({ userId, tokens, parted }: Visitor, change: UserChange): KnownUser[] {
    if (isAbsent(change)) return [];
    const token = tokens.at(-1);
    const { revision } = change;
    const base = { userId, revision, requestId: this.#count, ...(token && { token }), ...(parted && { parted }) };
    if (change.state === 'paired') return [{ ...base, state: 'paired', session: change.session }];
    return [{ ...base, state: change.state }];
  }

  #learn(changes: UserChange[], replied: boolean): void {
    for (const change of changes) {
      const visitor = this.#visitors.find(({ userId }) => userId === change.userId);
      if (!visitor) continue;
      if (replied) visitor.replied = newer(visitor.replied, change);
      visitor.newest = newer(visitor.newest, change);
      if (change.state === 'paired') visitor.parted = change.session.partnerId;
    }
  }

  async #begin(place: number): Promise<void> {
    const nodeId = `n${place}-${this.#count}`;
    this.#nodeIds[place] = nodeId;
    await this.#renew(nodeId, leaseMs, true);
    await this.#bench.listen(nodeId);
  }

  async #renew(nodeId: string, ms: number, isNew = false): Promise<unknown> {
    const known = isNew ? undefined : this.#epochs.at(-1);
    const lease = { nodeId, leaseMs: ms, ...(known && { epoch: known }) };
    const { epoch, lapsed, due, waitingFacts } = await this.#bench.store.renewLease(lease);
    if (!this.#epochs.includes(epoch)) this.#epochs.push(epoch);
    return { epoch: this.#epochs.indexOf(epoch), lapsed: lapsed.sort(), due, waitingFacts };
  }

  #visitorAt(place: number): Visitor {
    const visitor = this.#visitors[place];
    if (!visitor) throw new Error(`There is no user in place ${place}.`);
    return visitor;
  }

  /** Who comes after a user who is gone is another user. */
  #replace(place: number): void {
    this.#former.push(this.#visitorAt(place));
    this.#visitors[place] = newVisitor(place, this.#count);
  }
}

function newVisitor(place: number, count: number): Visitor {
  const userId = `u${place}-${count}`;
  const node = place % nodeCount;
  const none = { replied: undefined, newest: undefined, parted: undefined, last: undefined };
  return { userId, node, nodeBefore: node, tokens: place % 3 === 0 ? [] : [`t-${userId}`], ...none };
}

function newer(one: UserChange | undefined, other: UserChange): UserChange {
  return one && one.revision >= other.revision ? one : other;
}

function entriesOf<Key extends string>(weights: Readonly<Record<Key, number>>): [Key, number][] {
  return Object.entries(weights) as [Key, number][];
}
