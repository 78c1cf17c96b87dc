import type { ChatSocket, SocketIoOptions } from '@passerby/client';
import type { Welcome } from '@passerby/protocol';
import type { Planned } from './scheduler.ts';
import type { SimulatedLine } from './simulated-line.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

type Listener = (...args: unknown[]) => void;
type Welcomed = (socketId: string, welcome: Welcome) => void;
/** What {@link Setting.peeking} adds to the options. */
export type PeekingOptions = SocketIoOptions & { welcomed?: Welcomed };

/** An answer takes this long at most to follow the welcome: the first ping. */
const pingMs = 3000;

/** What the client library and the participants use of a socket of socket.io-client. */
export class SimulatedSocket {
  readonly #network: SimulatedNetwork;
  readonly #url: string;
  readonly #options: PeekingOptions;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #managerListeners = new Map<string, Listener[]>();
  readonly #answers = new Set<(error: Error) => void>();
  #line: SimulatedLine | undefined;
  #timeout: Planned | undefined;
  id: string | undefined;
  connected = false;
  readonly sendBuffer: unknown[] = [];
  readonly io = {
    opts: {} as SocketIoOptions,
    engine: { close: () => this.#close('lost', 'forced close') },
    on: (event: string, listener: Listener) => add(this.#managerListeners, event, listener),
  };

  constructor(network: SimulatedNetwork, url: string, options: PeekingOptions) {
    this.#network = network;
    this.#url = url;
    this.#options = options;
    this.io.opts = { ...options };
    if (options.autoConnect !== false) network.scheduler.after(0, 'connect', () => this.connect());
  }

  /** As the type that it stands for. */
  get asSocket(): ChatSocket {
    return this as unknown as ChatSocket;
  }

  on(event: string, listener: Listener): this {
    add(this.#listeners, event, listener);
    return this;
  }

  off(): this {
    this.#listeners.clear();
    return this;
  }

  connect(): this {
    if (this.#line) return this;
    const { scheduler } = this.#network;
    const line = this.#network.open(this.#url, {
      opened: () => {
        if (this.#line !== line) return;
        scheduler.cancel(this.#timeout);
        for (const listener of this.#managerListeners.get('open') ?? []) listener();
        this.#sendAuth(auth => line?.join(auth));
      },
      joined: socketId => {
        if (this.#line !== line) return;
        this.id = socketId;
        this.connected = true;
        this.#tell('connect');
      },
      received: (event, args) => {
        if (this.#line !== line) return;
        if (event === 'welcome') {
          this.#options.welcomed?.(this.id ?? '', args[0] as Welcome);
          scheduler.after(pingMs * this.#network.random.next(), 'ping', () => line?.pong());
        }
        this.#tell(event, ...args);
      },
      closed: reason => {
        if (this.#line === line) this.#closed(reason);
      },
    });
    this.#line = line;
    if (!line) {
      scheduler.after(5 * this.#network.random.next(), 'no node', () =>
        this.#tell('connect_error', new Error('No node takes it.')),
      );
      return this;
    }
    this.#timeout = scheduler.after(this.#options.timeout ?? 20_000, 'timeout', () => {
      if (this.#line !== line) return;
      line.closeFromClient('lost');
      this.#line = undefined;
      this.#tell('connect_error', new Error('timeout'));
    });
    return this;
  }

  emit(event: string, ...args: unknown[]): this {
    const answer = args.pop() as (reply: object) => void;
    this.#line?.say(event, (args[0] ?? null) as object | null, answer);
    return this;
  }

  /** With a time limit, the answer begins with an error. */
  timeout(ms: number): { emit: (event: string, ...args: unknown[]) => void } {
    return {
      emit: (event, ...args) => {
        const answer = args.pop() as (error: Error | null, reply?: object) => void;
        const { scheduler } = this.#network;
        const fail = (error: Error) => {
          if (!this.#answers.delete(fail)) return;
          scheduler.cancel(timer);
          answer(error);
        };
        const timer = scheduler.after(ms, 'no answer', () => fail(new Error('operation has timed out')));
        this.#answers.add(fail);
        this.#line?.say(event, (args[0] ?? null) as object | null, reply => {
          if (!this.#answers.delete(fail)) return;
          scheduler.cancel(timer);
          answer(null, reply);
        });
      },
    };
  }

  disconnect(): this {
    this.#close(this.connected ? 'left' : 'lost', 'io client disconnect');
    return this;
  }

  #sendAuth(send: (auth: object) => void): void {
    const { auth } = this.#options;
    if (typeof auth === 'function') auth(send);
    else send(auth ?? {});
  }

  #close(how: 'lost' | 'left', reason: string): void {
    const line = this.#line;
    if (!line) return;
    line.closeFromClient(how);
    this.#closed(reason);
  }

  #closed(reason: string): void {
    const wasOpen = this.#timeout?.task === undefined;
    this.#network.scheduler.cancel(this.#timeout);
    this.#line = undefined;
    this.connected = false;
    if (wasOpen) this.#tell('disconnect', reason);
    else this.#tell('connect_error', new Error(reason));
    for (const fail of [...this.#answers]) fail(new Error('socket has been disconnected'));
  }

  #tell(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...args);
  }
}

function add(listeners: Map<string, Listener[]>, event: string, listener: Listener): void {
  listeners.set(event, [...(listeners.get(event) ?? []), listener]);
}
