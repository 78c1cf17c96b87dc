import type { IncomingMessage } from 'node:http';
import { ChatError } from '@passerby/core';
import { handleSocketEvents, type SocketEventsOptions } from './socket-events.ts';
import type { ChatServer } from './socket-server.ts';

export interface AcceptConnectionsOptions extends SocketEventsOptions {
  addressOf: (request: IncomingMessage) => string;
}

/** Makes each connection that its address's limit allows a user, until it closes. */
export function acceptConnections(io: ChatServer, options: AcceptConnectionsOptions): void {
  const { service, limits, metrics, log, addressOf } = options;

  io.use((socket, next) => {
    limits.connection(addressOf(socket.request)).then(
      () => next(),
      error => {
        const { code, message, retryAfterMs } = error instanceof ChatError ? error : new ChatError('UNAVAILABLE');
        metrics.errorSent(code);
        // A client gets this as `connect_error`: the text as its message, the rest as its `data`.
        next(Object.assign(new Error(message), { data: { code, retryAfterMs } }));
      },
    );
  });

  io.on('connection', socket => {
    service.connect(socket.id);
    log.debug({ user: socket.id }, 'A user connected.');
    socket.on('disconnect', reason => {
      log.debug({ user: socket.id, reason }, 'A user disconnected.');
      void service.disconnect(socket.id);
    });
    handleSocketEvents(socket, addressOf(socket.request), options);
  });
}
