import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { HandshakeError, unlessBusy } from './unless-busy.ts';

type Event = keyof ServerEvents;
type Received = { [Name in Event]: { event: Name; args: Parameters<ServerEvents[Name]> } }[Event];

/** So long, in ms, it waits for an event or an answer: far longer than either takes on a slow machine. */
const withinMs = 60_000;

/** A plain client, as it comes from socket.io-client, that remembers what it received. */
export class ChatClient {
  readonly socket: Socket<ServerEvents, ClientEvents>;
  /** All that it received and no `next` has taken yet, oldest first. */
  readonly received: Received[] = [];
  /** All that it ever received, acknowledgements included, as JSON. */
  readonly transcript: string[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(url: string, options: Partial<ManagerOptions & SocketOptions>) {
    this.socket = io(url, { forceNew: true, reconnection: false, ...options });
    this.socket.onAny((event, ...args) => {
      this.received.push({ event, args } as Received);
      this.transcript.push(JSON.stringify([event, ...args]));
      for (const wake of this.#waiting) wake();
    });
  }

  /** Connects, when the node has time for it; rejects if it refuses. */
  static connect(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<ChatClient> {
    return unlessBusy(async () => {
      const client = new ChatClient(url, options);
      await new Promise<void>((resolve, reject) => {
        const refused = (error: Error) => {
          client.socket.close();
          const status = statusOf(error);
          reject(status === undefined ? error : new HandshakeError(status, error));
        };
        client.socket.once('connect_error', refused);
        client.socket.once('connect', () => {
          // Later on it may be refused for a while, and come back.
          client.socket.off('connect_error', refused);
          resolve();
        });
      });
      return client;
    });
  }

  get id(): string {
    return this.socket.id ?? '';
  }

  /** The first argument of the next event of this name, which is taken out of `received`. Waits for it; rejects if none comes. */
  async next<Name extends Event>(event: Name): Promise<Parameters<ServerEvents[Name]>[0]> {
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      const at = this.received.findIndex(each => each.event === event);
      const [found] = at < 0 ? [] : this.received.splice(at, 1);
      if (found) return found.args[0] as Parameters<ServerEvents[Name]>[0];
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) throw new Error(`No "${event}" came. ${this.#story()}`);
      await new Promise<void>(resolve => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, leftMs);
        this.#waiting.add(wake);
      });
    }
  }

  /** What it received and no `next` has taken yet, of one event: the first argument of each. */
  all<Name extends Event>(event: Name): Parameters<ServerEvents[Name]>[0][] {
    return this.received.flatMap(each =>
      each.event === event ? [each.args[0] as Parameters<ServerEvents[Name]>[0]] : [],
    );
  }

  /** Sends an event and waits for its acknowledgement; rejects if none comes. */
  async ask(event: string, ...args: unknown[]): Promise<Ack<Record<string, unknown>>> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`"${event}" was not answered. ${this.#story()}`)), withinMs);
    });
    try {
      const reply = await Promise.race([(this.socket as Socket).emitWithAck(event, ...args), silence]);
      this.transcript.push(JSON.stringify(reply));
      return reply;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends an event without asking for an acknowledgement. */
  tell(event: string, ...args: unknown[]): void {
    (this.socket as Socket).emit(event, ...args);
  }

  /** Resolves with the reason when the connection is gone. */
  disconnected(): Promise<Socket.DisconnectReason> {
    return new Promise(resolve => this.socket.once('disconnect', resolve));
  }

  /** Resolves when it is connected: the next time, if it is connected now. */
  connected(): Promise<void> {
    return new Promise(resolve => this.socket.once('connect', resolve));
  }

  /**
   * Proves that nothing else is on its way to this client from its own node: what the node sent before it answered this
   * has arrived.
   */
  async barrier(): Promise<void> {
    await this.ask('barrier');
  }

  close(): void {
    this.socket.close();
  }

  /** What there is to know of it when a test fails. */
  #story(): string {
    const state = this.socket.connected ? 'is connected' : 'is not connected';
    return `The client ${state}. Last of all it received: ${this.transcript.slice(-5).join(', ') || 'nothing'}`;
  }
}

/** The status of the answer to a handshake; undefined if the error is another one. */
function statusOf(error: Error): number | undefined {
  const { description } = error as { description?: unknown };
  if (typeof description === 'number') return description;
  const told = / response: (\d{3})$/.exec((description as Error | undefined)?.message ?? '')?.[1];
  return told === undefined ? undefined : Number(told);
}

/** Pairs two clients who are idle; both have seen `matched`. @returns the session's id */
export async function pair(first: ChatClient, second: ChatClient): Promise<string> {
  for (const client of [first, second]) {
    const reply = await client.ask('search');
    if (!reply.ok) throw new Error(`A search was refused: ${JSON.stringify(reply.error)}`);
  }
  const [{ sessionId }, other] = await Promise.all([first.next('matched'), second.next('matched')]);
  if (sessionId !== other.sessionId) throw new Error('The two were paired with others.');
  return sessionId;
}
