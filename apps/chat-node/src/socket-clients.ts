import type { Clients } from '@passerby/core';
import { errorTexts, type ServerEvents } from '@passerby/protocol';
import { sendEvent } from './send-event.ts';
import type { ChatServer, ChatSocket } from './socket-server.ts';

/**
 * When all connections are closed, their clients come back, and each costs more than it did to close. So they are closed at the
 * pace at which a node takes connections while it does other things, about 500 a second, and sooner only so that the last one is
 * closed after 10 s: a client that is not closed does not know that it has to look elsewhere.
 */
const stepMs = 100;
const leastPerStep = 50;
const mostSteps = 100;

/** {@link Clients} over Socket.IO: which socket is whose. */
export class SocketClients implements Clients {
  readonly #io: ChatServer;
  readonly #sockets = new Map<string, ChatSocket>();
  /** Whose connections are about to be closed. */
  readonly #closing = new Map<string, ChatSocket>();

  constructor(io: ChatServer) {
    this.#io = io;
  }

  /** Makes a socket the one of a user, in place of any other. */
  attach(userId: string, socket: ChatSocket): void {
    if (this.#sockets.get(userId) !== socket) this.replace(userId);
    // Or what it sends would be taken for what the new one sends.
    const closing = this.#closing.get(userId);
    if (closing && closing !== socket) replaceSocket(closing);
    this.#sockets.set(userId, socket);
    // Where an operator reaches the user, on whichever node.
    if (userId !== socket.id) void socket.join(userId);
  }

  /** Forgets the socket of a user. @returns whether it was the user's until now */
  detach(userId: string, socket: ChatSocket): boolean {
    if (this.#closing.get(userId) === socket) this.#closing.delete(userId);
    return this.#sockets.get(userId) === socket && this.#sockets.delete(userId);
  }

  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void {
    const socket = this.#sockets.get(userId);
    if (socket) sendEvent(socket, event, ...args);
  }

  close(userId: string): void {
    // Not `disconnect()`: that tells a client never to come back by itself.
    this.#sockets.get(userId)?.conn.close();
  }

  replace(userId: string): void {
    const socket = this.#sockets.get(userId);
    this.#sockets.delete(userId);
    if (socket) replaceSocket(socket);
  }

  closeAll(inChat: readonly string[]): void {
    const first = inChat.flatMap(userId => this.#sockets.get(userId) ?? []);
    const sockets = [...new Set([...first, ...this.#io.sockets.sockets.values()])];
    for (const [userId, socket] of this.#sockets) this.#closing.set(userId, socket);
    this.#sockets.clear();
    closeSlowly(sockets, Math.max(leastPerStep, Math.ceil(sockets.length / mostSteps)));
  }
}

function replaceSocket(socket: ChatSocket): void {
  socket.emit('error', errorTexts.REPLACED, { code: 'REPLACED' });
  socket.disconnect(true);
}

function closeSlowly(sockets: ChatSocket[], perStep: number): void {
  for (const socket of sockets.slice(0, perStep)) socket.conn.close();
  // The process may end before all are closed: that closes the rest.
  if (sockets.length > perStep) setTimeout(closeSlowly, stepMs, sockets.slice(perStep), perStep).unref();
}
