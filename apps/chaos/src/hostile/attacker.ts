import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { frame, webSocketUpgrade } from './frames.ts';
import { type Tally, Wire } from './wire.ts';

/** Without it, an attack on a node that refuses everything would be one on this machine. */
const pauseMs = 20;

export interface AttackerOptions {
  random: Random;
  /** All connections come from this address of this machine. */
  address: string;
  /** Where the attacked node listens. */
  target: string;
  port: number;
  /** It begins nothing new once it has sent so many packets, or so much time has passed. */
  packets: number;
  ms: number;
}

/** One kind of attack, once or until nothing more may be begun. */
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
    setTimeout(() => this.stop(), options.ms).unref();
  }

  /** Whether more may be begun. */
  get goes(): boolean {
    return !this.#isOver && this.tally.packets < this.#options.packets;
  }

  async open(from = this.#options.address): Promise<Wire> {
    const { target, port } = this.#options;
    const isOver = () => this.#isOver;
    const wire = await Wire.open({ from, to: target, port, tally: this.tally, wires: this.#wires, isOver });
    if (wire.isClosed) await delay(pauseMs);
    return wire;
  }

  /** Does this in so many places at once, each time with a new connection, as long as the attack goes on. */
  async inParallel(places: number, work: (wire: Wire) => Promise<unknown>, open = () => this.open()): Promise<void> {
    const one = async (): Promise<void> => {
      while (this.goes) {
        const wire = await open();
        await work(wire);
        wire.close();
      }
    };
    await Promise.all(Array.from({ length: places }, one));
  }

  /** Sends the first part on so many connections, and then the next one on each of them again and again. */
  async drip(connections: number, first: string, next: () => string): Promise<void> {
    await this.inParallel(connections, async wire => {
      for (let part = first; this.goes && (await wire.send(part)); part = next()) await delay(pauseMs);
    });
  }

  /** An Engine.IO connection over WebSocket, which has not joined yet. */
  async webSocket(headers = '', from?: string): Promise<Wire> {
    const wire = await this.open(from);
    await wire.ask(webSocketUpgrade(headers));
    return wire;
  }

  /** The same, and joined, as a user. */
  async join(auth = '', from?: string): Promise<Wire> {
    const wire = await this.webSocket('', from);
    await wire.send(frame(`40${auth}`));
    await wire.find(/40\{[^}]*\}|(?=44\{)/);
    return wire;
  }

  /** An Engine.IO session over polling. @returns its id; undefined when it was refused */
  async handshake(wire: Wire): Promise<string | undefined> {
    await wire.ask('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n');
    const [, sid] = await wire.find(/"sid":"([\w-]+)"|HTTP\/1.1 [45]/);
    return sid;
  }

  /** Begins nothing new, and waits for nothing. */
  stop(): void {
    this.#isOver = true;
    for (const wire of this.#wires) wire.wake();
  }

  /** Waits so long for what the node owes, and ends everything. @returns how many connections got neither bytes nor an end */
  async finish(withinMs: number): Promise<number> {
    const until = performance.now() + withinMs;
    const owed = () => [...this.#wires].filter(wire => wire.expectsAnswer && !wire.heard).length;
    while (owed() > 0 && performance.now() < until) await delay(pauseMs);
    const unanswered = owed();
    for (const wire of this.#wires) wire.close();
    return unanswered;
  }
}

/** The same kind of request again and again, on ten connections. */
export function requests(make: (attacker: Attacker) => string | Buffer): Attack {
  return attacker =>
    attacker.inParallel(10, async wire => {
      while (attacker.goes && !wire.isClosed) await wire.ask(make(attacker));
    });
}
