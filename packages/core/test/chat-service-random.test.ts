import type { StateReply } from '@passerby/protocol';
import fc, { type Scheduler } from 'fast-check';
import { settled, TestCluster, type TestNode } from './test-cluster.ts';

/*
 * People on three nodes do anything at any time. Every command and every reply takes a random time, and so does what
 * comes over the channel of a node, in the order in which it was sent. Whatever happens, the rules hold.
 */

const nodeCount = 3;
const personCount = 7;

const deed = fc.oneof(
  { weight: 5, arbitrary: fc.constant('search' as const) },
  { weight: 4, arbitrary: fc.constant('send' as const) },
  { weight: 3, arbitrary: fc.constant('skip' as const) },
  { weight: 2, arbitrary: fc.constant('endChat' as const) },
  { weight: 1, arbitrary: fc.constant('reconnect' as const) },
);
/** `then`: whether everything that this begins is over before the next step, or how much of it happens. */
const step = fc.record({
  deed,
  person: fc.nat(personCount - 1),
  next: fc.oneof(fc.constant('settle' as const), fc.nat(3)),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class Run {
  readonly cluster = new TestCluster();
  readonly #scheduler: Scheduler;
  /** The user id of each person: a new one with each connection. */
  readonly #ids: string[] = [];
  readonly #everyone: string[] = [];
  /** The session that each user is in, as the user's client saw it. */
  readonly #seen = new Map<string, string>();
  /** The session in which each text was written, as its author's client saw it. */
  readonly #writtenIn = new Map<string, string | undefined>();
  readonly #underWay: Promise<unknown>[] = [];
  readonly #wrong: string[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  async start(): Promise<void> {
    for (let i = 0; i < nodeCount; i++) this.#watch(await this.cluster.startNode());
    // The replies to this node are lost now and then.
    this.#node(1).store.twice = true;
    this.cluster.channels.pace = () => this.#scheduler.schedule(Promise.resolve());
    for (let person = 0; person < personCount; person++) this.#connect(person);
  }

  async take({ deed, person, next }: Step): Promise<void> {
    this.#underWay.push(this.#do(deed, person));
    if (next === 'settle') return this.#settle();
    for (let i = 0; i < next; i++) await this.#happenOne();
  }

  /** Everyone leaves. */
  async finish(): Promise<void> {
    for (const [person, userId] of this.#ids.entries()) {
      this.#underWay.push(this.#node(person).service.disconnect(userId));
    }
    this.#ids.length = 0;
    await this.#settle();
    const facts = await this.cluster.facts();
    const of = (kind: string) => facts.filter(fact => fact.kind === kind).map(fact => fact.sessionId);
    expect(new Set(of('started')).size).toBe(of('started').length);
    expect(of('ended').sort()).toEqual(of('started').sort());
  }

  #node(person: number): TestNode {
    const node = this.cluster.nodes[person % nodeCount];
    if (!node) throw new Error('There is no such node.');
    return node;
  }

  #connect(person: number): void {
    const userId = `user-${this.#everyone.length}`;
    this.#ids[person] = userId;
    this.#everyone.push(userId);
    this.#node(person).service.connect(userId);
  }

  async #do(deed: Step['deed'], person: number): Promise<void> {
    const { service } = this.#node(person);
    const userId = this.#ids[person] ?? '';
    try {
      if (deed === 'reconnect') {
        this.#connect(person);
        await service.disconnect(userId);
      } else if (deed === 'send') {
        const text = `${userId}/${this.#writtenIn.size}`;
        this.#writtenIn.set(text, this.#seen.get(userId));
        await service.send(userId, text);
      } else {
        this.#see(userId, await service[deed](userId));
      }
    } catch (error) {
      const { code } = error as { code?: string };
      const gone = !this.#ids.includes(userId);
      const inDeeds = { search: ['ALREADY_IN_CHAT'], send: ['NOT_IN_CHAT', 'PARTNER_AWAY'] } as Record<
        string,
        string[]
      >;
      const expected = inDeeds[deed] ?? [];
      if (!expected.includes(code ?? '') && !(gone && code === 'UNAVAILABLE'))
        this.#wrong.push(`${deed} of ${userId}: ${error}`);
    }
  }

  #see(userId: string, { sessionId }: StateReply): void {
    if (sessionId) this.#seen.set(userId, sessionId);
    else this.#seen.delete(userId);
  }

  #watch(node: TestNode): void {
    node.store.pace = () => this.#scheduler.schedule(Promise.resolve());
    node.clients.onEvent = (userId, [event, payload]) => {
      const session = this.#seen.get(userId);
      if (event === 'matched') this.#seen.set(userId, payload.sessionId);
      if (event === 'partner_left' && session === payload.sessionId) this.#seen.delete(userId);
      if (event !== 'message') return;
      const own = payload.message.startsWith(`${userId}/`);
      if (own || !session || this.#writtenIn.get(payload.message) !== session) {
        this.#wrong.push(`${userId} in ${session} got ${payload.message}.`);
      }
    };
  }

  /** One command, reply or message gets through. */
  async #happenOne(): Promise<void> {
    await settled();
    if (this.#scheduler.count() > 0) await this.#scheduler.waitOne();
    await settled();
  }

  async #settle(): Promise<void> {
    do await this.#happenOne();
    while (this.#scheduler.count() > 0);
    await Promise.all(this.#underWay.splice(0));
    expect(this.#wrong).toEqual([]);
    await this.#check();
  }

  /** What must hold whenever nothing is under way. */
  async #check(): Promise<void> {
    const census = this.cluster.nodes.map(() => ({ idle: 0, waiting: 0, paired: 0, sessions: 0 }));
    const partners = new Map<string, string>();
    for (const [person, userId] of this.#ids.entries()) {
      const entry = await this.cluster.registered(userId);
      if (entry.state === 'away' || entry.state === 'gone') throw new Error(`${userId} is ${entry.state}.`);
      const { session } = entry.state === 'paired' ? entry : { session: undefined };
      // The client and the registry tell the same.
      expect({ userId, session: this.#seen.get(userId) }).toEqual({ userId, session: session?.sessionId });
      if (session) partners.set(`${userId} in ${session.sessionId}`, `${session.partnerId} in ${session.sessionId}`);
      const counts = census[person % nodeCount];
      if (counts) counts[entry.state]++;
      if (counts && session?.side === 'a') counts.sessions++;
    }
    // The other side of each session is there, in the same session.
    for (const [user, partner] of partners) expect(partners.get(partner)).toBe(user);
    // The node and the registry tell the same.
    expect(this.cluster.nodes.map(node => node.service.census())).toEqual(census);
    // Nobody waits beside somebody else who could be the partner.
    expect(census.reduce((sum, { waiting }) => sum + waiting, 0)).toBeLessThanOrEqual(1);
    for (const userId of this.#everyone.filter(each => !this.#ids.includes(each))) {
      expect(await this.cluster.registered(userId)).toEqual({ state: 'idle', revision: 0 });
    }
  }
}

describe('the chat service, whatever people do and however long things take', () => {
  it('keeps everyone in one session at the most, with one partner, and all sides agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 60, size: 'max' }), async (scheduler, steps) => {
        const run = new Run(scheduler);
        try {
          await run.start();
          for (const each of steps) await run.take(each);
          await run.finish();
        } finally {
          for (const { store } of run.cluster.nodes) store.pace = async () => undefined;
          await run.cluster.stop();
        }
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});
