import type { ServerEvents } from '@passerby/protocol';

/** The connections of the users of this node. */
export interface Clients {
  /** Sends an event to a user's client: at most once, in order. Nothing happens when the user is not connected. */
  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void;

  /** Closes a user's connection in such a way that the client is free to connect again. */
  close(userId: string): void;

  /** Tells a user's client that another connection has taken its place, and closes it for good. */
  replace(userId: string): void;

  /**
   * Closes every connection in such a way that the clients are free to connect again. From this moment nothing is emitted to any
   * of them. That they do not all come back at once, they may be closed over some seconds: those of `inChat` first, who have a
   * partner waiting.
   */
  closeAll(inChat: readonly string[]): void;
}
