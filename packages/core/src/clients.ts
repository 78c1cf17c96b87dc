import type { ServerEvents } from '@passerby/protocol';

/** The connections of the users of this node. */
export interface Clients {
  /** Sends an event to a user's client: at most once, in order. Nothing happens when the user is not connected. */
  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void;

  /** Closes every connection in such a way that the clients are free to connect again. */
  closeAll(): void;
}
