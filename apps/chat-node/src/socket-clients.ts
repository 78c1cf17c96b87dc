import type { Clients } from '@passerby/core';
import type { ClientEvents, ServerEvents } from '@passerby/protocol';
import type { Server, Socket } from 'socket.io';

export type ChatServer = Server<ClientEvents, ServerEvents>;
export type ChatSocket = Socket<ClientEvents, ServerEvents>;

/** A client that reads nothing is cut off when more than this waits for it. */
const maxWaitingPackets = 10_000;
const maxWaitingBytes = 1024 * 1024;

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

/** The parts of Engine.IO that tell how much waits for a client; its types hide them. */
interface Waiting {
  writeBuffer: unknown[];
  /** `socket`: while the transport is a WebSocket. */
  transport: { socket?: { bufferedAmount: number; terminate(): void } };
}

/** To call after each packet to a client: Socket.IO itself keeps what a client does not read, without bound. */
export function cutOffIfStalled(socket: ChatSocket): void {
  const { writeBuffer, transport } = socket.conn as unknown as Waiting;
  const waitingBytes = transport.socket?.bufferedAmount ?? 0;
  if (writeBuffer.length <= maxWaitingPackets && waitingBytes <= maxWaitingBytes) return;
  socket.conn.close(true);
  // A WebSocket would be kept for 30 s more, with all that waits in it, for a farewell that a client like this never sends.
  transport.socket?.terminate();
}
