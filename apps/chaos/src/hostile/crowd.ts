import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { Person, type PersonOptions } from './person.ts';

/** 25 in 10 s: a user may send 30. */
const everyMs = 400;
const withinMs = 10_000;
const lookAgainMs = 50;
/** A newcomer who got a stranger leaves again after this, so as to be there for the other newcomer. */
const strangerMs = 500;

export interface CrowdOptions extends Pick<PersonOptions, 'harm' | 'meetsStrangers'> {
  /** To be followed by a number. */
  name: string;
  urls: readonly string[];
  size: number;
  /** The address of the person with this number. */
  addressOf: (index: number) => string;
}

/** Honest people in pairs, on all nodes in turn, every third one over polling. */
export class Crowd {
  readonly #people: Person[];
  readonly #harm: string[];

  constructor({ name, urls, size, addressOf, ...options }: CrowdOptions) {
    this.#harm = options.harm;
    this.#people = Array.from({ length: size }, (_, index) => {
      const transport = index % 3 === 2 ? 'polling' : 'websocket';
      const [url = '', address] = [urls[index % urls.length], addressOf(index)];
      return new Person({ name: `${name} ${index + 1} (${transport})`, url, address, transport, ...options });
    });
  }

  /** @throws Error when they do not get in and find each other */
  async pairUp(): Promise<void> {
    await Promise.all(this.#people.map(person => person.arrive()));
    if (!(await becomes(() => this.#pairs().length === this.#people.length))) {
      throw new Error('People did not find each other, though nobody had attacked yet.');
    }
  }

  /** Each gets in and finds somebody, or is harmed. Strangers are left for each other. */
  async findSomebody(): Promise<void> {
    const arrived = this.#people.map(person =>
      person.arrive().catch(({ message }) => this.#harm.push(`${person.name} could not get in (${message}).`)),
    );
    await Promise.all(arrived);
    const alone = () => this.#people.filter(({ chats }) => chats === 0);
    for (let n = 0; alone().length > 0 && n < withinMs / strangerMs; n++) {
      await becomes(() => alone().length === 0, strangerMs);
      if (alone().length > 0) for (const person of this.#people) if (person.chats > 0) person.skip();
    }
    for (const { name } of alone()) this.#harm.push(`${name} found nobody.`);
  }

  chat(random: Random): void {
    for (const person of this.#people) person.chat(everyMs, random);
  }

  rest(): void {
    for (const person of this.#people) person.rest();
  }

  /** Waits until all that was said up to now has been shown. Whoever was not shown it soon is harmed. */
  async heard(ms = withinMs): Promise<void> {
    const said = this.#pairs().map(([from, to]) => ({ from, to, sent: from.sent }));
    const missing = () => said.filter(({ to, sent }) => to.shown < sent);
    await becomes(() => missing().length === 0, ms);
    for (const { from, to } of missing()) this.#harm.push(`${to.name} was not shown all that ${from.name} said.`);
  }

  /** All latencies since the last time, in ms. */
  takeLatencies(): number[] {
    return this.#people.flatMap(person => person.latenciesMs.splice(0));
  }

  bytesSent(): number {
    return this.#people.reduce((sum, person) => sum + person.bytesSent, 0);
  }

  leave(): void {
    for (const person of this.#people) person.leave();
  }

  /** Everybody with whomever they are in a chat with. */
  #pairs(): [Person, Person][] {
    return this.#people.flatMap(one => {
      const isPartner = (two: Person) => two !== one && two.sessionId === one.sessionId && two.sessionId !== undefined;
      return this.#people.filter(isPartner).map((two): [Person, Person] => [one, two]);
    });
  }
}

async function becomes(condition: () => boolean, ms = withinMs): Promise<boolean> {
  const until = performance.now() + ms;
  while (!condition() && performance.now() < until) await delay(lookAgainMs);
  return condition();
}
