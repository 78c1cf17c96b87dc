import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { Person } from './person.ts';

/** 25 in 10 s: a user may send 30. */
const everyMs = 400;
const withinMs = 10_000;
const lookAgainMs = 50;

export interface CrowdOptions {
  name: string;
  urls: readonly string[];
  size: number;
  /** The address of the person with this number. */
  addressOf: (index: number) => string;
  random: Random;
  harmed: (sentence: string) => void;
}

/** Honest people in pairs, on all nodes in turn, every third one over polling. */
export class Crowd {
  readonly people: Person[];
  readonly #options: CrowdOptions;

  constructor(options: CrowdOptions) {
    this.#options = options;
    const { name, urls, size, addressOf, harmed } = options;
    this.people = Array.from({ length: size }, (_, index) => {
      const transport = index % 3 === 2 ? 'polling' : 'websocket';
      const url = urls[index % urls.length] ?? '';
      return new Person({
        name: `${name} ${index + 1} (${transport})`,
        url,
        address: addressOf(index),
        transport,
        harmed,
      });
    });
  }

  /** @throws Error when they cannot get in, or do not find each other */
  async pairUp(): Promise<void> {
    await Promise.all(this.people.map(person => person.arrive()));
    for (const person of this.people) person.search();
    const paired = () => this.people.every(({ sessionId }) => sessionId !== undefined);
    if (!(await becomes(paired)) || [...this.#sessions().values()].some(({ length }) => length !== 2)) {
      throw new Error('The bystanders did not find each other, though nobody harmed them yet.');
    }
  }

  chat(): void {
    for (const person of this.people) person.chat(everyMs, this.#options.random);
  }

  rest(): void {
    for (const person of this.people) person.rest();
  }

  /** Waits until all that was said up to now has been shown, and tells what has not. */
  async heard(): Promise<void> {
    const sentBefore = new Map(this.people.map(person => [person, person.sent]));
    const missing = () =>
      [...this.#sessions().values()].flatMap(([one, two]) => {
        if (!one || !two) return []; // It has been told that the chat is over, which is harm already.
        return [[one, two] as const, [two, one] as const].filter(
          ([from, to]) => to.shown < (sentBefore.get(from) ?? 0),
        );
      });
    await becomes(() => missing().length === 0);
    for (const [from, to] of missing()) this.#options.harmed(`${to.name} was not shown all that ${from.name} said.`);
  }

  /** All latencies since the last time, in ms. */
  takeLatencies(): number[] {
    return this.people.flatMap(person => person.latenciesMs.splice(0));
  }

  bytesSent(): number {
    return this.people.reduce((sum, person) => sum + person.bytesSent, 0);
  }

  leave(): void {
    for (const person of this.people) person.leave();
  }

  #sessions(): Map<string, Person[]> {
    const sessions = new Map<string, Person[]>();
    for (const person of this.people) {
      const { sessionId } = person;
      if (sessionId !== undefined) sessions.set(sessionId, [...(sessions.get(sessionId) ?? []), person]);
    }
    return sessions;
  }
}

/** Two who come while others attack: they must get in, and each must find somebody. Strangers are left for each other. */
export async function newcomers({
  name,
  urls,
  addressOf,
  harmed,
}: Omit<CrowdOptions, 'size' | 'random'>): Promise<void> {
  const people = [0, 1].map(index => {
    const url = urls[index % urls.length] ?? '';
    const options = { url, address: addressOf(index), transport: 'websocket', harmed, mayBeLeft: true } as const;
    return new Person({ name: `${name} ${index + 1}`, ...options });
  });
  try {
    await Promise.all(
      people.map(person =>
        person.arrive().then(
          () => person.search(),
          (error: Error) => harmed(`${person.name} could not get in (${error.message}).`),
        ),
      ),
    );
    const until = performance.now() + withinMs;
    while (people.some(({ chats }) => chats === 0) && performance.now() < until) {
      await delay(500);
      const alone = people.some(({ chats }) => chats === 0);
      for (const person of people) if (alone && person.chats > 0) person.skip();
    }
    for (const { chats, name } of people) if (chats === 0) harmed(`${name} found nobody.`);
  } finally {
    for (const person of people) person.leave();
  }
}

async function becomes(condition: () => boolean): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (!condition() && performance.now() < until) await delay(lookAgainMs);
  return condition();
}
