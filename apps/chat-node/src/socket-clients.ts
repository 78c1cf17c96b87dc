import type { Clients } from '@passerby/core';
import type { ServerEvents } from '@passerby/protocol';
import { cutOffIfStalled } from './cut-off-if-stalled.ts';
import type { ChatServer } from './socket-server.ts';

/** {@link Clients} over Socket.IO. */
export class SocketClients implements Clients {
  readonly #sockets: ChatServer['sockets']['sockets'];

  constructor(io: ChatServer) {
    this.#sockets = io.sockets.sockets;
  }

  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void {
    const socket = this.#sockets.get(userId);
    if (!socket) return;
    socket.emit(event, ...args);
    cutOffIfStalled(socket);
  }

  closeAll(): void {
    // Not `disconnect()`: that tells a client never to come back by itself.
    for (const socket of this.#sockets.values()) socket.conn.close();
  }
}
