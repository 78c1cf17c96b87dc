import { Agent } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type Socket } from 'socket.io-client';
import type { Random } from '../random.ts';

const arrivesWithinMs = 10_000;
/** Makes a text about as long as people's. */
const filler = 'and so on, as people do';

export interface PersonOptions {
  name: string;
  url: string;
  /** An address of this machine. */
  address: string;
  transport: 'websocket' | 'polling';
  /** Takes a sentence about whatever no honest person may see. */
  harm: string[];
  /** Whether the partner may be anybody, who may say anything, and leave. */
  meetsStrangers?: boolean;
}

/** Somebody honest, with Socket.IO's own client, who checks everything that comes. */
export class Person {
  readonly name: string;
  sessionId: string | undefined;
  chats = 0;
  sent = 0;
  /** How many of the partner's messages have come; all are numbered. */
  shown = 0;
  /** Of each message that has come, from the partner's sending on. */
  latenciesMs: number[] = [];
  readonly #socket: Socket<ServerEvents, ClientEvents>;
  readonly #agent: CountingAgent;
  readonly #harm: string[];
  #timer: NodeJS.Timeout | undefined;

  constructor({ name, url, address, transport, harm, meetsStrangers = false }: PersonOptions) {
    this.name = name;
    this.#harm = harm;
    this.#agent = new CountingAgent({ localAddress: address, keepAlive: true });
    const agent = this.#agent as unknown as string; // As the types of the library have it.
    const socket: Socket<ServerEvents, ClientEvents> = io(url, {
      ...{
        transports: [transport],
        upgrade: false,
        forceNew: true,
        reconnection: false,
        timeout: arrivesWithinMs,
        agent,
      },
    });
    this.#socket = socket;
    socket.on('disconnect', reason => {
      this.sessionId = undefined;
      this.#isHarmed(`lost the connection (${reason})`);
    });
    socket.on('error', (text, { code }) => this.#isHarmed(`got the error ${code} (${text})`));
    socket.on('matched', ({ sessionId }) => {
      this.sessionId = sessionId;
      this.chats++;
    });
    socket.on('partner_left', ({ reason }) => {
      this.sessionId = undefined;
      if (!meetsStrangers) this.#isHarmed(`was told that the partner left (${reason})`);
    });
    if (!meetsStrangers) socket.on('message', ({ message }) => this.#read(message));
  }

  /** Bytes that its connections have carried to the node, without what belongs to TCP. */
  get bytesSent(): number {
    return this.#agent.bytesWritten;
  }

  /** Comes and looks for a partner. Rejects when it does not get in soon. */
  async arrive(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('connect_error', reject);
      setTimeout(() => reject(new Error('no answer')), arrivesWithinMs).unref();
    });
    this.#socket.emit('search', {}, () => {});
  }

  skip(): void {
    this.#socket.emit('skip', () => {});
  }

  /** Writes to the partner from now on, about so often, until `rest`. */
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
    this.rest();
    this.#socket.off();
    this.#socket.disconnect();
    this.#agent.destroy();
  }

  #say(): void {
    if (this.sessionId === undefined) return;
    this.sent++;
    const message = `${this.sessionId} ${this.sent} ${performance.now()} ${filler}`;
    this.#socket.emit('message', { message }, (reply: Ack<object>) => {
      if (!reply.ok) this.#isHarmed(`could not send a message (${reply.error.code})`);
    });
  }

  #read(message: string): void {
    const [sessionId, number, at] = message.split(' ');
    this.shown++;
    this.latenciesMs.push(performance.now() - Number(at));
    if (sessionId !== this.sessionId || Number(number) !== this.shown) {
      this.#isHarmed(`was shown "${message}" as number ${this.shown} in ${this.sessionId}`);
    }
  }

  #isHarmed(how: string): void {
    this.#harm.push(`${this.name} ${how}.`);
  }
}

/** Knows what went through its connections. */
class CountingAgent extends Agent {
  readonly #sockets: TcpSocket[] = [];

  get bytesWritten(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    const socket = super.createConnection(...args) as TcpSocket;
    this.#sockets.push(socket);
    return socket;
  }
}
