import { setTimeout as delay } from 'node:timers/promises';
import type { Clients } from '@passerby/core';
import { errorTexts, type ServerEvents } from '@passerby/protocol';
import { cutOffIfStalled } from './cut-off-if-stalled.ts';
import { sendEvent } from './send-event.ts';
import type { ChatServer, ChatSocket } from './socket-server.ts';

/** So many connections are closed at a time when all are, and so often, in ms: 2,500 a second. */
const sliceOf = 50;
const sliceEveryMs = 20;

/** {@link Clients} over Socket.IO: which socket is whose. */
export class SocketClients implements Clients {
  readonly #io: ChatServer;
  readonly #sockets = new Map<string, ChatSocket>();

  constructor(io: ChatServer) {
    this.#io = io;
  }

  /** Makes a socket the one of a user, in place of any other. */
  attach(userId: string, socket: ChatSocket): void {
    if (this.#sockets.get(userId) !== socket) this.replace(userId);
    this.#sockets.set(userId, socket);
    // Where an operator reaches the user, on whichever node.
    if (userId !== socket.id) void socket.join(userId);
  }

  /** Forgets the socket of a user. @returns whether it was the user's until now */
  detach(userId: string, socket: ChatSocket): boolean {
    return this.#sockets.get(userId) === socket && this.#sockets.delete(userId);
  }

  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void {
    const socket = this.#sockets.get(userId);
    if (!socket) return;
    sendEvent(socket, event, ...args);
    cutOffIfStalled(socket);
  }

  close(userId: string): void {
    // Not `disconnect()`: that tells a client never to come back by itself.
    this.#sockets.get(userId)?.conn.close();
  }

  replace(userId: string): void {
    const socket = this.#sockets.get(userId);
    this.#sockets.delete(userId);
    socket?.emit('error', errorTexts.REPLACED, { code: 'REPLACED' });
    socket?.disconnect(true);
  }

  closeAll(): void {
    this.#sockets.clear();
    void this.#closeInSlices([...this.#io.sockets.sockets.values()]);
  }

  /** Apart, so that others have their turn meanwhile, and clients do not all come back in the same moment. */
  async #closeInSlices(sockets: ChatSocket[]): Promise<void> {
    for (const [i, socket] of sockets.entries()) {
      if (i % sliceOf === sliceOf - 1) await delay(sliceEveryMs);
      socket.conn.close();
    }
  }
}
