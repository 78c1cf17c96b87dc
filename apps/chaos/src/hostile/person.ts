import { Agent } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type Socket } from 'socket.io-client';
import type { Random } from '../random.ts';

const answersWithinMs = 10_000;
/** Makes a text about as long as people's. */
const filler = 'and so on, as people do';

export interface PersonOptions {
  name: string;
  url: string;
  /** An address of this machine. */
  address: string;
  transport: 'websocket' | 'polling';
  /** Told, in a sentence, what no honest person may see. */
  harmed: (sentence: string) => void;
  /** Whether a chat may end: with somebody who is not one of ours. */
  mayBeLeft?: boolean;
}

/** Somebody honest, with Socket.IO's own client, who checks everything that comes. */
export class Person {
  readonly name: string;
  sessionId: string | undefined;
  /** How many different chats there were. */
  chats = 0;
  sent = 0;
  /** How many of the partner's messages have come; all are numbered. */
  shown = 0;
  /** Of each message that has come, from its `emit` on, in ms. */
  latenciesMs: number[] = [];
  readonly #options: PersonOptions;
  readonly #socket: Socket<ServerEvents, ClientEvents>;
  readonly #agent: CountingAgent;
  #timer: NodeJS.Timeout | undefined;
  #leaves = false;

  constructor(options: PersonOptions) {
    this.#options = options;
    this.name = options.name;
    this.#agent = new CountingAgent({ localAddress: options.address, keepAlive: true });
    const agent = this.#agent as unknown as string; // As the types of the library have it.
    this.#socket = io(options.url, {
      ...{ transports: [options.transport], upgrade: false, forceNew: true, reconnection: false, agent },
    });
    const harm = (what: string) => this.#harm(what);
    this.#socket.on('disconnect', reason => harm(`lost the connection (${reason})`));
    this.#socket.on('error', (text, { code }) => harm(`got the error ${code} (${text})`));
    this.#socket.on('matched', ({ sessionId }) => {
      if (!options.mayBeLeft && this.sessionId !== undefined) harm('was matched a second time');
      this.sessionId = sessionId;
      this.chats++;
    });
    this.#socket.on('partner_left', ({ reason }) => {
      this.sessionId = undefined;
      if (!options.mayBeLeft) harm(`was told that the partner left (${reason})`);
    });
    this.#socket.on('message', ({ message }) => this.#read(message));
  }

  /** Bytes that its connections have carried to the node, without what belongs to TCP. */
  get bytesSent(): number {
    return this.#agent.bytesWritten;
  }

  /** Rejects when it does not get in soon. */
  arrive(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), answersWithinMs);
      this.#socket.once('connect', resolve);
      this.#socket.once('connect_error', reject);
      this.#socket.once('connect', () => clearTimeout(timer));
      this.#socket.once('connect_error', () => clearTimeout(timer));
    });
  }

  search(): void {
    this.#socket.emit('search', {}, () => {});
  }

  /** Leaves a stranger. */
  skip(): void {
    this.sessionId = undefined;
    this.#socket.emit('skip', () => {});
  }

  /** Writes to the partner from now on, so often, until `rest`. */
  chat(everyMs: number, random: Random): void {
    this.#timer = setTimeout(
      () => {
        this.#say();
        this.chat(everyMs, random);
      },
      everyMs * (0.8 + 0.4 * random.next()),
    );
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  leave(): void {
    this.#leaves = true;
    this.rest();
    this.#socket.disconnect();
    this.#agent.destroy();
  }

  #say(): void {
    this.sent++;
    const message = `${this.sessionId} ${this.sent} ${performance.now()} ${filler}`;
    this.#socket.emit('message', { message }, (reply: Ack<object>) => {
      if (!reply.ok) this.#harm(`could not send a message (${reply.error.code})`);
    });
  }

  #read(message: string): void {
    if (this.#options.mayBeLeft) return;
    const [sessionId, number, at] = message.split(' ');
    if (sessionId !== this.sessionId) this.#harm('was shown a message that was not for this chat');
    this.shown++;
    if (Number(number) !== this.shown) {
      this.#harm(`was shown message ${number} as number ${this.shown}`);
      this.shown = Number(number);
    }
    this.latenciesMs.push(performance.now() - Number(at));
  }

  #harm(what: string): void {
    if (!this.#leaves) this.#options.harmed(`${this.name} ${what}.`);
  }
}

/** Knows what went through its connections. */
class CountingAgent extends Agent {
  #closed = 0;
  readonly #open = new Set<TcpSocket>();

  get bytesWritten(): number {
    return [...this.#open].reduce((sum, socket) => sum + socket.bytesWritten, this.#closed);
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    const socket = super.createConnection(...args) as TcpSocket;
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closed += socket.bytesWritten;
    });
    return socket;
  }
}
