import { Agent } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type Socket } from 'socket.io-client';
import type { Random } from '../random.ts';

const arrivesWithinMs = 10_000;
/** Whoever is put off tries again after this. */
const comesBackMs = 500;
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

  /** Comes and looks for a partner; comes back when the node is too busy to let it in. Rejects when it does not get in soon. */
  async arrive(): Promise<void> {
    const giveUpAt = performance.now() + arrivesWithinMs;
    while (!(await this.#getIn(giveUpAt - performance.now()))) {
      await delay(comesBackMs);
      this.#socket.connect();
    }
    this.#socket.emit('search', {}, () => {});
  }

  /** @returns whether it got in; false when it was told to come back */
  async #getIn(withinMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<boolean>((resolve, reject) => {
        this.#socket.once('connect', () => resolve(true));
        this.#socket.once('connect_error', error => (isPutOff(error) ? resolve(false) : reject(error)));
        timer = setTimeout(() => reject(new Error('no answer')), Math.max(0, withinMs)).unref();
      });
    } finally {
      clearTimeout(timer);
      this.#socket.off('connect').off('connect_error');
    }
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

/** Whether a node had too much to do, and said so: by the status, which Socket.IO's client gives as such, or in a sentence. */
function isPutOff(error: Error): boolean {
  const { description } = error as { description?: unknown };
  return description === 503 || / response: 503$/.test((description as Error | undefined)?.message ?? '');
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
