import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

type Event = keyof ServerEvents;
type Received = { [Name in Event]: { event: Name; args: Parameters<ServerEvents[Name]> } }[Event];

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

  /** Connects; rejects if the server refuses. */
  static async connect(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<ChatClient> {
    const client = new ChatClient(url, options);
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error) => {
        client.socket.close();
        reject(error);
      };
      client.socket.once('connect_error', refused);
      client.socket.once('connect', () => {
        // Later on it may be refused for a while, and come back.
        client.socket.off('connect_error', refused);
        resolve();
      });
    });
    return client;
  }

  get id(): string {
    return this.socket.id ?? '';
  }

  /** The first argument of the next event of this name, which is taken out of `received`. Waits for it. */
  async next<Name extends Event>(event: Name): Promise<Parameters<ServerEvents[Name]>[0]> {
    for (;;) {
      const at = this.received.findIndex(each => each.event === event);
      const [found] = at < 0 ? [] : this.received.splice(at, 1);
      if (found) return found.args[0] as Parameters<ServerEvents[Name]>[0];
      await new Promise<void>(resolve => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
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

  /** Sends an event and waits for its acknowledgement. */
  async ask(event: string, ...args: unknown[]): Promise<Ack<Record<string, unknown>>> {
    const reply = await (this.socket as Socket).emitWithAck(event, ...args);
    this.transcript.push(JSON.stringify(reply));
    return reply;
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
}

/** Pairs two clients who are idle; both have seen `matched`. @returns the session's id */
export async function pair(first: ChatClient, second: ChatClient): Promise<string> {
  await first.ask('search');
  await second.ask('search');
  const [{ sessionId }, other] = await Promise.all([first.next('matched'), second.next('matched')]);
  if (sessionId !== other.sessionId) throw new Error('The two were paired with others.');
  return sessionId;
}
