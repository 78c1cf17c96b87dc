import type { Ack, ClientEvents, ServerEvents } from '@passerby/protocol';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

type Event = keyof ServerEvents;
type Received = { [Name in Event]: { event: Name; args: Parameters<ServerEvents[Name]> } }[Event];

/** A plain client, as it comes from socket.io-client, that remembers what it received. */
export class ChatClient {
  readonly socket: Socket<ServerEvents, ClientEvents>;
  /** All that it received and no `next` has taken yet, oldest first. */
  readonly received: Received[] = [];
  #arrived: () => void = () => undefined;

  private constructor(url: string, options: Partial<ManagerOptions & SocketOptions>) {
    this.socket = io(url, { forceNew: true, reconnection: false, ...options });
    this.socket.onAny((event, ...args) => {
      this.received.push({ event, args } as Received);
      this.#arrived();
    });
  }

  /** Connects; rejects if the server refuses. */
  static async connect(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<ChatClient> {
    const client = new ChatClient(url, options);
    await new Promise<void>((resolve, reject) => {
      client.socket.once('connect', resolve);
      client.socket.once('connect_error', error => {
        client.socket.close();
        reject(error);
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
        this.#arrived = resolve;
      });
    }
  }

  /** Sends an event and waits for its acknowledgement. */
  ask(event: string, ...args: unknown[]): Promise<Ack<Record<string, unknown>>> {
    return (this.socket as Socket).emitWithAck(event, ...args);
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
