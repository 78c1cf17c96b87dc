import type { Ack, ClientEvents, ServerEvents, Welcome } from '@passerby/protocol';
import { ChatError, type ChatErrorCode } from './chat-error.ts';
import { retryDelay } from './retry-delay.ts';
import type { ChatSocket, SocketIoOptions, World } from './world.ts';

/** To open a connection may take this long, and so may the welcome after that. A node that hangs must not hold clients up. */
const defaultTimeoutMs = 8000;

export interface ConnectionHandlers {
  /** The token to resume with, if there is one. */
  token: () => string | undefined;
  /** The server knows who this is: events may be sent, and come, from now on. */
  up: (welcome: Welcome) => void;
  /** The connection is lost, and is being made again. */
  down: () => void;
  /** The server has closed the connection for good. */
  closed: (error: ChatError) => void;
  /** The server says, with a reason, that something is not possible now. */
  refused: (error: ChatError) => void;
}

type Reply = Ack<object> | undefined;

/**
 * A connection to any node, made again whenever it is lost.
 *
 * socket.io-client keeps what is sent while it is offline, and sends it in whatever chat comes next; so nothing is given to
 * it before the welcome, and what it kept all the same is thrown away. Each attempt is started here: that way all failures,
 * also those after which socket.io-client would give up, wait in the same way.
 */
export class Connection {
  readonly #world: World;
  readonly #handlers: ConnectionHandlers;
  readonly #socket: ChatSocket;
  readonly #query: SocketIoOptions['query'];
  readonly #answers = new Set<(reply: Reply) => void>();
  #waiters: { resolve: () => void; reject: (error: ChatError) => void }[] = [];
  #up = false;
  /** Why it is closed for good, or is about to be. */
  #end: ChatError | undefined;
  #closed = false;
  #failed = 0;
  #retryAfterMs = 0;
  /** The next attempt, or the end of this one. */
  #timer: unknown;

  constructor(
    url: string,
    { world, socketOptions: options = {} }: { world: World; socketOptions?: SocketIoOptions },
    handlers: ConnectionHandlers,
  ) {
    this.#world = world;
    this.#handlers = handlers;
    this.#query = options.query;
    const timeout = options.timeout ?? defaultTimeoutMs;
    this.#socket = world.io(url, {
      ...options,
      timeout,
      forceNew: true,
      autoConnect: false,
      reconnection: false,
      auth: (send: (auth: object) => void) => send({ resume: handlers.token() ?? true }),
    });
    this.#socket.on('welcome', welcome => this.#welcomed(welcome));
    this.#socket.on('error', (_text, { code, retryAfterMs }) => {
      const error = new ChatError(code, retryAfterMs);
      if (code === 'REPLACED') this.#end = error;
      else this.#refused(error);
    });
    this.#socket.on('disconnect', reason => this.#lost(reason === 'io server disconnect'));
    this.#socket.on('connect_error', error => {
      const refusal = refusalOf(error);
      if (refusal) this.#refused(refusal);
      else this.#tryOtherTransport();
      this.#lost(false);
    });
    this.#socket.io.on('open', () => {
      // Not `socket.disconnect`, which would mean that the user leaves for good.
      this.#startTimer(timeout, () => this.#socket.io.engine.close());
    });
  }

  open(): void {
    // A busy node lets those in first who come back.
    this.#socket.io.opts.query = { ...this.#query, ...(this.#handlers.token() !== undefined && { resume: '1' }) };
    this.#socket.connect();
  }

  /** Calls the listener for what the server sends. */
  on<Name extends Exclude<keyof ServerEvents, 'welcome' | 'error'>>(
    event: Name,
    listener: (payload: Parameters<ServerEvents[Name]>[0]) => void,
  ): void {
    this.#socket.on(event, listener as never);
  }

  /** Resolves when it is up. Rejects when it is closed for good. */
  ready(): Promise<void> {
    if (this.#up) return Promise.resolve();
    if (this.#closed) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /**
   * Sends an event, now or never. `answer` is called in the order in which events come from the server; with undefined if
   * the connection is not up, or is lost before the answer.
   */
  request<Name extends keyof ClientEvents>(event: Name, payload: object | null, answer: (reply: Reply) => void): void {
    if (!this.#up) {
      answer(undefined);
      return;
    }
    const once = (reply: Reply): void => {
      if (this.#answers.delete(once)) answer(reply);
    };
    this.#answers.add(once);
    const emitter = this.#socket as unknown as { emit: (...args: unknown[]) => void };
    emitter.emit(event, ...(payload ? [payload, once] : [once]));
  }

  /** Tells the server that the user leaves, and closes for good. */
  close(error: ChatError): void {
    this.#end = error;
    this.#closed = true;
    this.#drop();
    this.#socket.disconnect();
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  /** Closes for good without telling the server: to it, the connection is lost. */
  abandon(error: ChatError): void {
    // Without its transport, `disconnect` says nothing.
    this.#closed = true;
    this.#socket.io.engine?.close();
    this.close(error);
  }

  #welcomed(welcome: Welcome): void {
    this.#world.clearTimeout(this.#timer);
    this.#failed = 0;
    this.#retryAfterMs = 0;
    this.#up = true;
    this.#handlers.up(welcome);
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  #refused(error: ChatError): void {
    if (!this.#up) this.#retryAfterMs = error.retryAfterMs ?? 0;
    this.#handlers.refused(error);
  }

  /** There are networks that let a WebSocket neither open nor fail: the next attempt begins with another transport. */
  #tryOtherTransport(): void {
    const { opts } = this.#socket.io;
    const [first, ...others] = opts.transports ?? [];
    if (first) opts.transports = [...others, first] as NonNullable<typeof opts.transports>;
  }

  #lost(forGood: boolean): void {
    if (this.#closed) return;
    const wasUp = this.#up;
    this.#drop();
    if (forGood || this.#end) {
      const error = this.#end ?? new ChatError('CLOSED');
      this.close(error);
      this.#handlers.closed(error);
      return;
    }
    // Who was told a time need not guess one, too.
    const waitMs = retryDelay(this.#retryAfterMs > 0 ? 0 : this.#failed, this.#world.random());
    this.#failed += 1;
    // A client that the server asked to wait does not come before that, nor at the same time as all others.
    const afterMs = this.#retryAfterMs + waitMs;
    this.#retryAfterMs = 0;
    this.#startTimer(afterMs, () => this.open());
    if (wasUp) this.#handlers.down();
  }

  #drop(): void {
    this.#world.clearTimeout(this.#timer);
    this.#up = false;
    // What was sent in the moment in which the server's silence was noticed.
    this.#socket.sendBuffer.length = 0;
    for (const answer of [...this.#answers]) answer(undefined);
  }

  #startTimer(ms: number, task: () => void): void {
    this.#world.clearTimeout(this.#timer);
    this.#timer = this.#world.setTimeout(task, ms);
  }
}

/**
 * What the server says of a connection that it refuses: at the handshake of Socket.IO, or before it, as the body of an HTTP
 * response, which nobody can read if it was a WebSocket that was asked for. Undefined if it says nothing.
 */
function refusalOf(error: Error): ChatError | undefined {
  const { data, context } = error as { data?: unknown; context?: { responseText?: unknown } };
  const { code, retryAfterMs } = (data ?? parsed(context?.responseText) ?? {}) as {
    code?: unknown;
    retryAfterMs?: unknown;
  };
  // Engine.IO has numbers.
  if (typeof code !== 'string') return undefined;
  return new ChatError(code as ChatErrorCode, typeof retryAfterMs === 'number' ? retryAfterMs : undefined);
}

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
