import type { PairStore } from '@passerby/core';
import TinyQueue from 'tinyqueue';
import type { RandomTimes } from './random-times.ts';

/** What visitors do. All times are means; each time is drawn anew, and is as likely to end at any moment. */
export interface Behaviour {
  chatMs: number;
  /** How long the one who was left thinks before searching again; the one who skipped searches at once. */
  pauseMs: number;
  /** How many chats a visitor has before going. */
  chats: number;
  /** How long a visitor waits for a partner before going. */
  patienceMs: number;
}

export interface PoolOutcome {
  /** The measured time, on the simulated clock. */
  lastedMs: number;
  searches: number;
  matches: number;
  /** How long each of those who had to wait did so until matched; all others were matched at once. */
  waitsMs: number[];
  /** Searches that ended because the visitor's patience did. */
  gaveUp: number;
  /** Visitors who went, and those of them who had met nobody at all. */
  went: number;
  metNobody: number;
  /** Matches of two whose last partner was the other, and of two who had met before in this visit. */
  again: number;
  metBefore: number;
  longestQueue: number;
}

interface Visitor {
  userId: string;
  /** Undefined while not waiting. */
  waitsSince: number | undefined;
  /** The ids of the last partner and of all. */
  last: string | undefined;
  met: Set<string>;
}

interface Session {
  sessionId: string;
  sides: [Visitor, Visitor];
}

interface SimulationEvent {
  at: number;
  happens: () => Promise<void>;
}

export interface SimulationOptions {
  /** The pair store that decides, with the lease of `nodeId` taken. Its times should be those of `clock`. */
  store: PairStore;
  nodeId: string;
  /** Set forward by the simulation. */
  clock: { nowMs: number };
  random: RandomTimes;
  /** How many visitors there are, if none of them has to wait or gives up: it sets how many come in a second. */
  users: number;
  behaviour: Behaviour;
  /** Ends after so many searches, those of the beginning not counted. */
  searches: number;
}

/** Lets visitors come to one pool, search, talk, skip and go, and looks at what becomes of their searches. */
export function simulatePool(options: SimulationOptions): Promise<PoolOutcome> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #events = new TinyQueue<SimulationEvent>([], (a, b) => a.at - b.at);
  readonly #visitors = new Map<string, Visitor>();
  #outcome = nothing();
  #commands = 0;
  #waiting = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
  }

  async run(): Promise<PoolOutcome> {
    const { users, behaviour, clock, random, searches } = this.#options;
    const startedAt = clock.nowMs;
    // They all begin to chat, and as a chat may end at any moment, however old it is, the rest is soon as it will stay.
    for (let i = 0; i < users; i++) this.#in(random.next() * behaviour.pauseMs, () => this.#search(this.#newVisitor()));
    this.#in(random.exponential(this.#betweenArrivalsMs), () => this.#arrive());
    await this.#until(() => clock.nowMs - startedAt >= 10 * behaviour.pauseMs);
    this.#outcome = nothing();
    const measuredFrom = clock.nowMs;
    await this.#until(() => this.#outcome.searches >= searches);
    const lastedMs = clock.nowMs - measuredFrom;
    return { ...this.#outcome, lastedMs };
  }

  get #betweenArrivalsMs(): number {
    const { users, behaviour } = this.#options;
    return (behaviour.chats * (behaviour.chatMs + behaviour.pauseMs / 2)) / users;
  }

  async #until(isOver: () => boolean): Promise<void> {
    const { clock } = this.#options;
    while (!isOver()) {
      const event = this.#events.pop();
      if (!event) throw new Error('Nothing happens any more.');
      clock.nowMs = event.at;
      await event.happens();
    }
  }

  #in(ms: number, happens: () => Promise<void>): void {
    this.#events.push({ at: this.#options.clock.nowMs + ms, happens });
  }

  async #arrive(): Promise<void> {
    this.#in(this.#options.random.exponential(this.#betweenArrivalsMs), () => this.#arrive());
    await this.#search(this.#newVisitor());
  }

  #newVisitor(): Visitor {
    const userId = `visitor-${++this.#commands}`;
    const visitor: Visitor = { userId, waitsSince: undefined, last: undefined, met: new Set() };
    this.#visitors.set(userId, visitor);
    return visitor;
  }

  /** @param ended the session that the visitor skips */
  async #search(visitor: Visitor, ended?: Session): Promise<void> {
    const { store, nodeId, clock, random, behaviour } = this.#options;
    const requestId = ++this.#commands;
    const sessionId = `session-${requestId}`;
    const { userId } = visitor;
    const skip = ended && { skip: { sessionId: ended.sessionId, messages: 0 } };
    const [change] = await store.search({ userId, nodeId, requestId, revision: 0, sessionId, ...skip });
    this.#outcome.searches++;
    if (change?.state === 'paired') return this.#match(sessionId, this.#visitor(change.session.partnerId), visitor);
    const since = clock.nowMs;
    visitor.waitsSince = since;
    this.#waiting++;
    this.#outcome.longestQueue = Math.max(this.#outcome.longestQueue, this.#waiting);
    this.#in(random.exponential(behaviour.patienceMs), async () => {
      if (visitor.waitsSince !== since) return;
      this.#outcome.gaveUp++;
      this.#waiting--;
      await this.#go(visitor);
    });
  }

  #match(sessionId: string, waited: Visitor, other: Visitor): void {
    const { clock, random, behaviour } = this.#options;
    const outcome = this.#outcome;
    if (waited.waitsSince === undefined) throw new Error(`${waited.userId} was matched without waiting.`);
    outcome.matches++;
    outcome.waitsMs.push(clock.nowMs - waited.waitsSince);
    if (waited.last === other.userId || other.last === waited.userId) outcome.again++;
    if (waited.met.has(other.userId)) outcome.metBefore++;
    waited.waitsSince = undefined;
    this.#waiting--;
    for (const [one, another] of [
      [waited, other],
      [other, waited],
    ] as const) {
      one.last = another.userId;
      one.met.add(another.userId);
    }
    this.#in(random.exponential(behaviour.chatMs), () => this.#end({ sessionId, sides: [waited, other] }));
  }

  /** One side ends the session and searches, or goes. The other does so a little later. */
  async #end(session: Session): Promise<void> {
    const { random, behaviour } = this.#options;
    const { next } = random;
    const [a, b] = session.sides;
    const [ending, left] = next() < 0.5 ? [a, b] : [b, a];
    if (next() < 1 / behaviour.chats) await this.#go(ending);
    else await this.#search(ending, session);
    if (next() < 1 / behaviour.chats) await this.#go(left);
    else this.#in(random.exponential(behaviour.pauseMs), () => this.#search(left));
  }

  async #go(visitor: Visitor): Promise<void> {
    const { store, nodeId } = this.#options;
    const command = { userId: visitor.userId, nodeId, requestId: ++this.#commands };
    await store.leave({ ...command, reason: 'disconnect', messages: 0, forget: true });
    this.#visitors.delete(visitor.userId);
    this.#outcome.went++;
    if (visitor.met.size === 0) this.#outcome.metNobody++;
  }

  #visitor(userId: string): Visitor {
    const visitor = this.#visitors.get(userId);
    if (!visitor) throw new Error(`${userId} was matched after going.`);
    return visitor;
  }
}

function nothing(): PoolOutcome {
  const counts = { lastedMs: 0, searches: 0, matches: 0, gaveUp: 0, went: 0, metNobody: 0, again: 0, metBefore: 0 };
  return { ...counts, waitsMs: [], longestQueue: 0 };
}
