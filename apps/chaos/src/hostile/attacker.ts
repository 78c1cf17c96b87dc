import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { frame, webSocketUpgrade } from './frames.ts';
import { type Tally, Wire } from './wire.ts';

/** A refused connection is tried again after this. Without it, an attack on a dead node would be one on this machine. */
const pauseMs = 20;

export interface AttackerOptions {
  random: Random;
  /** All connections come from this address of this machine. */
  address: string;
  /** Where the attacked node listens. */
  target: string;
  port: number;
  /** An attack begins nothing new once it has sent so many packets, or so much time has passed. */
  packets: number;
  ms: number;
}

/** One attack begins and ends with it. */
export type Attack = (attacker: Attacker) => Promise<void>;

/** What an attack works with: connections that are counted, and bounds. */
export class Attacker {
  readonly random: Random;
  readonly tally: Tally = { connections: 0, packets: 0, bytes: 0 };
  /** What the node did and must never do, in sentences. */
  readonly breaches = new Set<string>();
  readonly #options: AttackerOptions;
  readonly #wires = new Set<Wire>();
  #isOver = false;

  constructor(options: AttackerOptions) {
    this.#options = options;
    this.random = options.random;
    setTimeout(() => {
      this.#isOver = true;
      for (const wire of this.#wires) wire.wake();
    }, options.ms).unref();
  }

  /** Whether more may be begun. */
  get goes(): boolean {
    return !this.#isOver && this.tally.packets < this.#options.packets;
  }

  async open(from = this.#options.address): Promise<Wire> {
    const { target, port } = this.#options;
    const isOver = () => this.#isOver;
    const wire = await Wire.open({ from, to: target, port, tally: this.tally, wires: this.#wires, isOver });
    if (wire.failed) await delay(pauseMs);
    return wire;
  }

  /** Does this in so many places at once, again and again, as long as the attack goes on. */
  async inParallel(places: number, work: (place: number) => Promise<unknown>): Promise<void> {
    const one = async (place: number): Promise<void> => {
      while (this.goes) await work(place);
    };
    await Promise.all(Array.from({ length: places }, (_, place) => one(place)));
  }

  /** Holds so many connections until the time is over, and does this with each of them again and again. */
  async hold(connections: number, work: (wire: Wire) => Promise<unknown>): Promise<void> {
    const count = Math.min(connections, this.#options.packets);
    const wires = await Promise.all(Array.from({ length: count }, () => this.open()));
    while (this.goes && wires.some(wire => !wire.isClosed)) {
      await Promise.all(wires.map(work));
      await delay(pauseMs);
    }
  }

  /** An Engine.IO connection over WebSocket, which has not joined yet. */
  async webSocket(headers = '', from = this.#options.address): Promise<Wire> {
    const wire = await this.open(from);
    await wire.ask(webSocketUpgrade(headers));
    return wire;
  }

  /** The same, and joined, as a user. */
  async join(auth = '', from = this.#options.address): Promise<Wire> {
    const wire = await this.webSocket('', from);
    await wire.send(frame(`40${auth}`));
    await wire.until(/40\{[^}]*\}|(?=44\{)/);
    return wire;
  }

  /** An Engine.IO session over polling. @returns its id; undefined when it was refused */
  async handshake(wire: Wire): Promise<string | undefined> {
    await wire.ask('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n');
    const [, sid] = (await wire.until(/"sid":"([\w-]+)"|HTTP\/1.1 [45]/)) ?? [];
    return sid;
  }

  breach(sentence: string): void {
    this.breaches.add(sentence);
  }

  /** Waits so long for what the node owes, and ends everything. @returns how many connections got neither bytes nor an end */
  async finish(withinMs: number): Promise<number> {
    const until = performance.now() + withinMs;
    const owed = () => [...this.#wires].filter(wire => wire.expectsAnswer && !wire.heard);
    while (owed().length > 0 && performance.now() < until) await delay(pauseMs);
    const unanswered = owed().length;
    this.destroy();
    return unanswered;
  }

  /** Ends all connections, and with them whatever waits for them. */
  destroy(): void {
    for (const wire of this.#wires) wire.close();
    this.#wires.clear();
  }
}
