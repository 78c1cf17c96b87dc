import type { LookupFunction } from 'node:net';
import { WebSocket } from 'ws';

/** To connect and join may take this long unless the caller says otherwise. */
const defaultTimeoutMs = 10_000;

export interface LightClientOptions {
  /** What the server gets as `socket.handshake.auth`. */
  auth?: object;
  /** Where Socket.IO listens at the server: `/socket.io/` by default. */
  path?: string;
  /** How long connecting and joining may take together, in ms. */
  timeoutMs?: number;
  /** How names become addresses; the system is asked for each connection by default. */
  lookup?: LookupFunction;
}

/** Why a connection is no more, or never was. */
export interface Closed {
  /**
   * - `unreachable`: no connection came about, or not in time
   * - `refused`: the server said that this client may not join
   * - `left`: the server told the client to leave
   * - `lost`: the connection ended, or the server was silent for too long, or was not understood
   */
  how: 'unreachable' | 'refused' | 'left' | 'lost';
  /** What happened: the code of a system's error such as ECONNREFUSED, or a sentence. */
  reason: string;
  /** With `refused`: what the server said besides the reason. */
  data?: unknown;
}

/** What a connection tells; calls come in the order in which the server sent what they tell. */
export interface LightClientHandlers<Received extends string = string> {
  /** The namespace is joined, under this socket id. */
  connected(id: string): void;
  event(name: Received, args: unknown[]): void;
  /** It is over; the last call. Does not come when the caller itself ended the connection. */
  closed(closed: Closed): void;
}

/** Gets the first argument of an acknowledgement, or undefined when the connection ended before it came. */
export type Answer = (reply: unknown) => void;

/**
 * One connection to any Socket.IO 4 server: Engine.IO 4 over WebSocket, default namespace, JSON only. It opens at once, and
 * is not made again when it ends: whoever wants that makes another one. There is little to it, so that one process can hold
 * thousands.
 */
export class LightClient<Sent extends string = string, Received extends string = string> {
  readonly #handlers: LightClientHandlers<Received>;
  readonly #auth: string;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, Answer>();
  /** Ends the connection: first when joining takes too long, later when the server's pings stay out. */
  #timer: NodeJS.Timeout;
  #silenceMs = 0;
  #asked = 0;
  #id = '';
  #over = false;

  /** @param url such as `http://localhost:3000` */
  constructor(url: string, handlers: LightClientHandlers<Received>, options: LightClientOptions = {}) {
    const { auth, path = '/socket.io/', timeoutMs = defaultTimeoutMs, lookup } = options;
    this.#handlers = handlers;
    this.#auth = auth ? JSON.stringify(auth) : '';
    const address = new URL(`${path}?EIO=4&transport=websocket`, url);
    address.protocol = address.protocol.replace('http', 'ws');
    this.#socket = new WebSocket(address, { perMessageDeflate: false, ...(lookup && { lookup }) });
    this.#socket.on('message', (data, isBinary) => this.#read(data as Buffer, isBinary));
    this.#socket.on('error', error => {
      const reason = (error as NodeJS.ErrnoException).code ?? error.message;
      this.#end({ how: this.#silenceMs > 0 ? 'lost' : 'unreachable', reason });
    });
    this.#socket.on('close', code => {
      this.#end({ how: this.#silenceMs > 0 ? 'lost' : 'unreachable', reason: `The connection was closed (${code}).` });
    });
    this.#timer = setTimeout(() => {
      this.#end({ how: 'unreachable', reason: `There was no connection within ${timeoutMs} ms.` });
    }, timeoutMs);
  }

  /** The socket id, or an empty text until the namespace is joined. */
  get id(): string {
    return this.#id;
  }

  /** Whether events can be sent. */
  get isConnected(): boolean {
    return this.#id !== '' && !this.#over;
  }

  /** Sends an event; one that cannot be sent now is dropped. */
  emit(event: Sent, ...args: unknown[]): void {
    if (this.isConnected) this.#socket.send(`42${JSON.stringify([event, ...args])}`);
  }

  /** Sends an event and asks for an acknowledgement. `answer` is called exactly once. */
  ask(event: Sent, args: readonly unknown[], answer: Answer): void {
    if (!this.isConnected) {
      answer(undefined);
      return;
    }
    this.#asked += 1;
    this.#answers.set(this.#asked, answer);
    this.#socket.send(`42${this.#asked}${JSON.stringify([event, ...args])}`);
  }

  /** Leaves as a client does that will not come back. */
  close(): void {
    if (this.#over) return;
    if (this.isConnected) this.#socket.send('41');
    this.#settle();
    this.#socket.close();
  }

  /** Drops the connection without a word, as when a network fails. */
  cut(): void {
    if (this.#over) return;
    this.#settle();
    this.#socket.terminate();
  }

  #read(data: Buffer, isBinary: boolean): void {
    if (this.#over) return;
    const text = data.toString();
    if (isBinary || !this.#take(text)) {
      this.#end({ how: 'lost', reason: 'The server sent something that this client does not understand.' });
    }
  }

  /** @returns whether the packet could be read */
  #take(text: string): boolean {
    switch (text[0]) {
      case '0':
        return this.#opened(text);
      case '1':
        this.#end({ how: 'lost', reason: 'The server closed the connection.' });
        return true;
      case '2':
        this.#timer.refresh();
        this.#socket.send('3');
        return true;
      case '4':
        return this.#takeInner(text);
      default:
        return true; // Noop and the like.
    }
  }

  #takeInner(text: string): boolean {
    switch (text[1]) {
      case '0':
        return this.#joined(text);
      case '1':
        this.#end({ how: 'left', reason: 'The server told this client to leave.' });
        return true;
      case '2':
        return this.#event(text);
      case '3':
        return this.#acknowledged(text);
      case '4':
        return this.#refused(text);
      default:
        return false;
    }
  }

  #opened(text: string): boolean {
    const opened = parse(text, 1) as { pingInterval: number; pingTimeout: number } | undefined;
    if (!opened) return false;
    this.#silenceMs = opened.pingInterval + opened.pingTimeout;
    this.#socket.send(`40${this.#auth}`);
    return true;
  }

  #joined(text: string): boolean {
    const joined = parse(text, 2) as { sid: string } | undefined;
    if (!joined) return false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#end({ how: 'lost', reason: 'The server sent no ping any more.' });
    }, this.#silenceMs);
    this.#id = joined.sid;
    this.#handlers.connected(joined.sid);
    return true;
  }

  #refused(text: string): boolean {
    const refused = parse(text, 2) as { message: string; data?: unknown } | undefined;
    if (refused) this.#end({ how: 'refused', reason: refused.message, data: refused.data });
    return refused !== undefined;
  }

  #event(text: string): boolean {
    // Before the bracket there may be a number under which the server wants an answer. It gets none.
    const args = parse(text, text.indexOf('[')) as unknown[] | undefined;
    if (args) this.#handlers.event(args.shift() as Received, args);
    return args !== undefined;
  }

  #acknowledged(text: string): boolean {
    const at = text.indexOf('[');
    const args = parse(text, at) as unknown[] | undefined;
    if (!args) return false;
    const number = Number(text.slice(2, at));
    const answer = this.#answers.get(number);
    this.#answers.delete(number);
    answer?.(args[0]);
    return true;
  }

  #end(closed: Closed): void {
    if (this.#over) return;
    this.#settle();
    this.#socket.terminate();
    this.#handlers.closed(closed);
  }

  #settle(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(undefined);
  }
}

function parse(text: string, from: number): unknown {
  try {
    return JSON.parse(text.slice(from));
  } catch {
    return undefined;
  }
}
