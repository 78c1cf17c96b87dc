import type { ErrorDetails } from '@passerby/protocol';
import type { Random } from '../random.ts';
import { Link } from './link.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** What the client's end of a connection is told. */
export interface ClientEnd {
  opened(): void;
  joined(socketId: string): void;
  received(event: string, args: unknown[]): void;
  closed(reason: string): void;
}

/** What the server's end of a connection is told. */
export interface ServerEnd {
  received(event: string, input: unknown, acknowledge: (reply: object) => void): void;
  /** It answers a ping. */
  ponged(): void;
  closed(how: 'lost' | 'left'): void;
}

/** A lost connection shows at once, but now and then nobody tells the node, and it finds out. */
const foundOutMs = 4000;
const foundOutShare = 0.1;
const atOnceMs = 20;

/** One connection between a client and a node, as Socket.IO makes them. Payloads are what JSON makes of them. */
export class SimulatedLine {
  readonly id: string;
  readonly node: SimulatedNode;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #up: Link;
  readonly #down: Link;
  readonly #client: ClientEnd;
  #server: ServerEnd | undefined;
  #clientOpen = true;
  #serverOpen = true;
  /** A word of the end that the server has given, and the client has not heard. */
  #dismissed = false;

  constructor(options: { id: string; scheduler: Scheduler; random: Random; node: SimulatedNode; client: ClientEnd }) {
    this.id = options.id;
    this.node = options.node;
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#client = options.client;
    this.#up = new Link(options.scheduler, options.random, options.node);
    this.#down = new Link(options.scheduler, options.random);
    options.node.lines.add(this);
    this.#up.send(`${this.id} opens`, () => {
      if (!this.#serverOpen) return;
      if (options.node.takesConnections) this.#toClient('open', () => this.#client.opened());
      else this.closeFromServer();
    });
  }

  get isOpen(): boolean {
    return this.#serverOpen;
  }

  /** The client asks to join, as this user if it can. */
  join(auth: object): void {
    const text = JSON.stringify(auth);
    this.#up.send(`${this.id} joins`, () => {
      if (!this.#serverOpen) return;
      this.#toClient('joined', () => this.#client.joined(this.id));
      this.#server = this.node.front.accept(this, JSON.parse(text));
    });
  }

  /** Something that the client says. `answer` is called with the reply, in the order in which things come from the server. */
  say(event: string, input: object | null, answer: (reply: object) => void): void {
    if (!this.#clientOpen) return;
    const text = JSON.stringify(input);
    this.#up.send(`${this.id} says ${event}`, () => {
      if (!this.#serverOpen) return;
      this.#server?.received(event, input === null ? undefined : JSON.parse(text), reply => {
        const replyText = JSON.stringify(reply);
        this.#toClient(`answer to ${event}`, () => answer(JSON.parse(replyText)));
      });
    });
  }

  pong(): void {
    this.#up.send(`${this.id} pongs`, () => this.#serverOpen && this.#server?.ponged());
  }

  /** Something that the server says. */
  emit(event: string, args: unknown[]): void {
    const text = JSON.stringify(args);
    this.#toClient(event, () => this.#client.received(event, JSON.parse(text)));
  }

  refuse(details: ErrorDetails & { message: string }): void {
    const { message, ...rest } = details;
    this.emit('error', [message, rest]);
    this.closeFromServer();
  }

  /** The client closes it. @param how `left`: after a goodbye */
  closeFromClient(how: 'lost' | 'left'): void {
    if (!this.#clientOpen) return;
    this.#clientOpen = false;
    this.#up.send(`${this.id} ${how}`, () => this.#endServer(how));
  }

  /** The server closes it; the client is free to come back. */
  closeFromServer(): void {
    this.#toClient('close', () => this.#endClient('transport close'));
    this.#scheduler.after(0, `${this.id} closed`, () => this.#endServer('lost'), this.node);
  }

  /** The server sends the client away. */
  dismiss(): void {
    this.#dismissed = true;
    this.#toClient('disconnect', () => this.#endClient('io server disconnect'));
    this.#endServer('left');
  }

  /** The network loses it, with all that is on its way. */
  lose(): void {
    this.#up.cut();
    this.#down.cut();
    const first = atOnceMs * this.#random.next();
    const second = this.#random.next() * (this.#random.next() < foundOutShare ? foundOutMs : atOnceMs);
    this.#scheduler.after(first, `${this.id} lost to its client`, () => this.#endClient('transport close'));
    this.#scheduler.after(second, `${this.id} lost to its node`, () => this.#endServer('lost'), this.node);
  }

  get wasDismissed(): boolean {
    return this.#dismissed;
  }

  #toClient(what: string, task: () => void): void {
    if (!this.#serverOpen) return;
    this.#down.send(`${this.id} hears ${what}`, () => {
      if (this.#clientOpen) task();
    });
  }

  #endClient(reason: string): void {
    if (!this.#clientOpen) return;
    this.#clientOpen = false;
    this.#client.closed(reason);
  }

  #endServer(how: 'lost' | 'left'): void {
    if (!this.#serverOpen) return;
    this.#serverOpen = false;
    this.node.lines.delete(this);
    this.#server?.closed(how);
  }
}
