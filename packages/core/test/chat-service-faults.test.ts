import type { Welcome } from '@passerby/protocol';
import fc, { type Scheduler } from 'fast-check';
import { ChatError } from '../src/index.ts';
import { unavailable } from './held-store.ts';
import { graceMs, leaseMs, settled, TestCluster, type TestNode } from './test-cluster.ts';

/*
 * People on three nodes do anything, and anything may fail: connections, nodes, replies, notices, the way to the store,
 * and the store's data. What a client is told is never wrong meanwhile, and when all is well again, everything agrees.
 */

const nodeCount = 3;
const personCount = 6;

const deed = fc.oneof(
  { weight: 8, arbitrary: fc.constant('search' as const) },
  { weight: 4, arbitrary: fc.constant('send' as const) },
  { weight: 3, arbitrary: fc.constant('skip' as const) },
  { weight: 2, arbitrary: fc.constant('endChat' as const) },
  { weight: 4, arbitrary: fc.constant('drop' as const) },
  { weight: 6, arbitrary: fc.constant('connect' as const) },
  { weight: 1, arbitrary: fc.constant('leave' as const) },
  { weight: 2, arbitrary: fc.constant('loseReply' as const) },
  { weight: 2, arbitrary: fc.constant('gap' as const) },
  { weight: 2, arbitrary: fc.constant('cut' as const) },
  { weight: 1, arbitrary: fc.constant('kill' as const) },
  { weight: 1, arbitrary: fc.constant('loseData' as const) },
  { weight: 5, arbitrary: fc.constant('beat' as const) },
);
const step = fc.record({
  deed,
  person: fc.nat(personCount - 1),
  place: fc.nat(nodeCount - 1),
  next: fc.oneof(fc.constant('settle' as const), fc.nat(4)),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A person's client: what it is connected to, and what it believes. */
interface Person {
  readonly name: string;
  readonly resumes: boolean;
  userId: string | undefined;
  token: string | undefined;
  node: TestNode | undefined;
  /** Waits for the welcome. */
  connecting: boolean;
  /** `unknown` after a command failed. */
  state: Welcome['state'] | 'unknown';
  session: string | undefined;
}

class FaultyRun {
  readonly cluster = new TestCluster();
  readonly #scheduler: Scheduler;
  readonly #people: Person[] = [];
  readonly #everyone: string[] = [];
  readonly #nodes: TestNode[] = [];
  readonly #repliesToLose = new Map<TestNode, number>();
  readonly #gaps = new Map<string, number>();
  readonly #writtenIn = new Map<string, string | undefined>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #wrong: string[] = [];
  #calm = false;
  #dataLost = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  async start(): Promise<void> {
    this.cluster.channels.pace = async nodeId => {
      const gaps = this.#gaps.get(nodeId);
      await this.#somewhen();
      if (this.#gaps.get(nodeId) !== gaps) throw new Error('Lost.');
    };
    for (let place = 0; place < nodeCount; place++) await this.#startNode(place);
    for (let i = 0; i < personCount; i++) {
      const state = { userId: undefined, token: undefined, node: undefined, session: undefined };
      this.#people.push({ name: `p${i}`, resumes: i % 3 !== 0, connecting: false, state: 'idle', ...state });
      this.#do('connect', i, i % nodeCount);
    }
    await this.#settle();
  }

  async take({ deed, person, place, next }: Step): Promise<void> {
    if (deed === 'beat') await jest.advanceTimersByTimeAsync(leaseMs / 4);
    else if (deed === 'kill') await this.#kill(place);
    else this.#do(deed, person, place);
    if (next === 'settle') return this.#settle();
    for (let i = 0; i < next; i++) await this.#happenOne();
  }

  /** Nothing fails any more: after a while everything agrees, and when everyone leaves, nothing is left. */
  async finish(): Promise<void> {
    this.#repliesToLose.clear();
    for (const { store } of this.#nodes) store.away = false;
    await this.#settle();
    this.#calm = true;
    await this.#wait(2 * leaseMs);
    // A client that was told to go comes back by itself.
    for (const [i, person] of this.#people.entries())
      if (!person.node && i % 2 === 0) this.#do('connect', i, i % nodeCount);
    await this.#wait(graceMs + 4 * leaseMs);
    await this.#checkAll();
    for (const i of this.#people.keys()) this.#do('leave', i, 0);
    await this.#wait(graceMs + 4 * leaseMs);
    for (const userId of this.#everyone) {
      expect({ userId, ...(await this.cluster.registered(userId)) }).toEqual({ userId, state: 'idle', revision: 0 });
    }
    const facts = await this.cluster.facts();
    const of = (kind: string) =>
      [...new Set(facts.filter(fact => fact.kind === kind).map(fact => fact.sessionId))].sort();
    // A fact may come twice, when a user leaves in the moment in which the registry is compared with the node.
    if (!this.#dataLost) expect(of('ended')).toEqual(of('started'));
    expect(of('started')).toEqual(expect.arrayContaining(of('ended')));
  }

  async #startNode(place: number): Promise<void> {
    const node = this.cluster.addNode();
    this.#nodes[place] = node;
    node.store.pace = async when => {
      await this.#somewhen();
      const toLose = this.#repliesToLose.get(node) ?? 0;
      if (when === 'command' || toLose === 0) return;
      this.#repliesToLose.set(node, toLose - 1);
      throw unavailable();
    };
    node.clients.onEvent = (userId, emitted) => this.#hear(node, userId, emitted);
    const cutOff = (person: Person | undefined) => {
      if (person) person.node = undefined;
    };
    node.clients.onClose = userId => cutOff(this.#connected(node, userId));
    node.clients.onReplace = node.clients.onClose;
    node.clients.onCloseAll = () => this.#people.filter(person => person.node === node).forEach(cutOff);
    await node.service.start();
  }

  async #kill(place: number): Promise<void> {
    const node = this.#node(place);
    node.store.away = true;
    this.cluster.channels.close(node.lease.nodeId);
    node.clients.onCloseAll();
    node.clients.onEvent = () => undefined;
    await this.#startNode(place);
  }

  #do(deed: Step['deed'], i: number, place: number): void {
    const person = this.#people[i];
    if (!person) return;
    const done = this.#act(deed, person, place).catch(error => {
      const expected = ['UNAVAILABLE', 'ALREADY_IN_CHAT', 'NOT_IN_CHAT', 'PARTNER_AWAY'];
      if (!(error instanceof ChatError) || !expected.includes(error.code)) this.#wrong.push(`${deed}: ${error}`);
    });
    this.#underWay.add(done);
    void done.then(() => this.#underWay.delete(done));
  }

  async #act(deed: Step['deed'], person: Person, place: number): Promise<void> {
    const target = this.#node(place);
    const { node, userId } = person;
    if (deed === 'cut') target.store.away = !target.store.away;
    if (deed === 'loseReply') this.#repliesToLose.set(target, 1);
    if (deed === 'loseData') {
      this.cluster.store.loseData();
      this.#dataLost = true;
    }
    if (deed === 'gap') {
      const { nodeId } = target.lease;
      this.#gaps.set(nodeId, (this.#gaps.get(nodeId) ?? 0) + 1);
      this.cluster.channels.miss(nodeId);
    }
    if (deed === 'connect') return this.#connect(person, target);
    if (!node || !userId) return;
    if (deed === 'drop' || deed === 'leave') {
      person.node = undefined;
      if (deed === 'leave') person.token = undefined;
      await node.service.disconnect(userId, deed === 'leave' ? 'left' : 'lost');
    } else if (deed === 'send') {
      const text = `${userId}/${this.#writtenIn.size}`;
      this.#writtenIn.set(text, person.session);
      await node.service.send(userId, text);
    } else if (deed === 'search' || deed === 'skip' || deed === 'endChat') {
      try {
        const { state, sessionId } = await node.service[deed](userId);
        if (person.node !== node || person.userId !== userId) return;
        person.state = state;
        person.session = sessionId;
      } catch (error) {
        if (person.node === node && person.userId === userId && !person.session) person.state = 'unknown';
        throw error;
      }
    }
  }

  async #connect(person: Person, node: TestNode): Promise<void> {
    // A plain client leaves first; the old connection of a resuming one may be lost without a word.
    if (person.connecting || (person.node && !person.resumes)) return;
    const newUserId = `${person.name}-${this.#everyone.length}`;
    this.#everyone.push(newUserId);
    if (!person.resumes) {
      node.service.connect(newUserId);
      Object.assign(person, { userId: newUserId, node, state: 'idle', session: undefined });
      return;
    }
    const { node: oldNode, userId: oldId } = person;
    person.connecting = true;
    person.node = undefined;
    try {
      await node.service.resume(newUserId, person.token, userId => {
        // Of a node that was killed meanwhile, nothing comes.
        if (this.#nodes.includes(node)) Object.assign(person, { node, userId });
      });
    } finally {
      person.connecting = false;
      // Only now the server notices that the old connection is gone, if it was not replaced.
      if (oldNode && oldId && !(person.node === oldNode && person.userId === oldId)) {
        await oldNode.service.disconnect(oldId, 'lost');
      }
    }
  }

  #hear(node: TestNode, userId: string, emitted: Parameters<TestNode['clients']['onEvent']>[1]): void {
    const person = this.#connected(node, userId);
    if (!person) return;
    const [event, payload] = emitted;
    if (event === 'welcome') {
      person.token = payload.token;
      person.state = payload.state;
      person.session = payload.session?.sessionId;
    } else if (event === 'matched') {
      person.state = 'paired';
      person.session = payload.sessionId;
    } else if (event === 'partner_left') {
      if (person.session !== undefined && person.session !== payload.sessionId) return;
      person.state = 'idle';
      person.session = undefined;
    } else if (event === 'message') {
      const own = payload.message.startsWith(`${userId}/`);
      if (own || !person.session || this.#writtenIn.get(payload.message) !== person.session) {
        this.#wrong.push(`${userId} in ${person.session} got ${payload.message}.`);
      }
    } else if (!person.resumes) this.#wrong.push(`A plain client got ${event}.`);
  }

  #connected(node: TestNode, userId: string): Person | undefined {
    return this.#people.find(person => person.node === node && person.userId === userId);
  }

  #node(place: number): TestNode {
    const node = this.#nodes[place];
    if (!node) throw new Error('There is no such node.');
    return node;
  }

  async #somewhen(): Promise<void> {
    if (!this.#calm) await this.#scheduler.schedule(Promise.resolve());
  }

  async #happenOne(): Promise<void> {
    await settled();
    if (this.#scheduler.count() > 0) await this.#scheduler.waitOne();
    await settled();
  }

  async #settle(): Promise<void> {
    do await this.#happenOne();
    while (this.#scheduler.count() > 0);
    expect(this.#wrong).toEqual([]);
  }

  async #wait(ms: number): Promise<void> {
    await jest.advanceTimersByTimeAsync(ms);
    await settled();
    await Promise.all(this.#underWay);
    expect(this.#wrong).toEqual([]);
  }

  async #checkAll(): Promise<void> {
    const partners = new Map<string, string>();
    const present: string[] = [];
    let waiting = 0;
    for (const { userId = '', node, state, session } of this.#people.filter(person => person.node)) {
      if (!node) continue;
      present.push(userId);
      const entry = await this.cluster.registered(userId);
      const registered = {
        state: entry.state,
        sessionId: entry.state === 'paired' ? entry.session.sessionId : undefined,
      };
      // The node, the client and the registry tell the same.
      expect({ userId, sessionId: undefined, ...node.service.stateOf(userId) }).toEqual({ userId, ...registered });
      const believed = state === 'unknown' && registered.state !== 'paired' ? registered.state : state;
      expect({ userId, state: believed, sessionId: session }).toEqual({ userId, ...registered });
      if (entry.revision > 0) expect(await this.cluster.homeOf(userId)).toBe(node.lease.nodeId);
      if (entry.state === 'waiting') waiting++;
      if (entry.state !== 'paired') continue;
      const { sessionId, partnerId } = entry.session;
      partners.set(`${userId} in ${sessionId}`, `${partnerId} in ${sessionId}`);
    }
    for (const [user, partner] of partners) expect(partners.get(partner)).toBe(user);
    expect(waiting).toBeLessThanOrEqual(1);
    expect(this.#nodes.flatMap(node => node.service.present.map(user => user.userId)).sort()).toEqual(present.sort());
    for (const userId of this.#everyone.filter(each => !present.includes(each))) {
      expect({ userId, ...(await this.cluster.registered(userId)) }).toEqual({ userId, state: 'idle', revision: 0 });
    }
  }
}

describe('the chat service, whatever fails', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  it('tells nobody anything wrong, and agrees with the registry when all is well again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 60, size: 'max' }), async (scheduler, steps) => {
        const run = new FaultyRun(scheduler);
        try {
          await run.start();
          for (const each of steps) await run.take(each);
          await run.finish();
        } finally {
          for (const { store } of run.cluster.nodes) {
            store.pace = async () => undefined;
            store.away = false;
          }
          run.cluster.channels.pace = undefined;
          await run.cluster.stop();
        }
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});
