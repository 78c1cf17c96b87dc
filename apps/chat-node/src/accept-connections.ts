import { ChatError, parseResumeToken, type ResumeToken } from '@passerby/core';
import { parseHandshake } from '@passerby/protocol';
import type { ClientAddresses } from './client-address.ts';
import type { Overload } from './overload.ts';
import type { SocketClients } from './socket-clients.ts';
import { describeError, handleSocketEvents, type SocketEventsOptions } from './socket-events.ts';
import type { ChatServer, ChatSocket } from './socket-server.ts';

export interface AcceptConnectionsOptions extends SocketEventsOptions {
  clients: SocketClients;
  overload: Pick<Overload, 'turn'>;
  addresses: Pick<ClientAddresses, 'of'>;
  /** Is told of each user who has been welcomed. */
  greet: (userId: string) => void;
}

/** Makes each connection that the limits allow a user, until it closes: a new one, or one who resumes. */
export function acceptConnections(io: ChatServer, options: AcceptConnectionsOptions): void {
  const { service, clients, limits, overload, metrics, log, addresses, greet } = options;

  const count = async (socket: ChatSocket): Promise<void> => {
    const address = addresses.of(socket.request);
    const shown = shownToken(socket);
    // It was let in before others for saying that it comes back.
    if (!shown && socket.handshake.query.resume === '1') throw new ChatError('UNAVAILABLE', { retryAfterMs: 1000 });
    // Whoever comes back is not new, also when many come back at once to the address of a school. Whether that is so is only
    // known later; until then it costs what a handshake may cost.
    if (shown) limits.mayResume(shown.userId);
    else await limits.newUser(address);
  };

  io.use((socket, next) => {
    const counted = overload.turn(shownToken(socket) ? 'return' : 'join').then(() => count(socket));
    counted.then(
      () => next(),
      error => {
        const { code, message, retryAfterMs } = error instanceof ChatError ? error : new ChatError('UNAVAILABLE');
        metrics.errorSent(code);
        log.debug({ socket: socket.id, code }, 'A connection was refused.');
        // A client gets this as `connect_error`: the text as its message, the rest as its `data`.
        next(Object.assign(new Error(message), { data: { code, retryAfterMs } }));
        // After the answer. The client could try again on this connection no more than anybody can join twice.
        setImmediate(() => socket.conn.close());
      },
    );
  });

  io.on('connection', socket => {
    const joined = join(socket);
    // It may be as large as a packet, and would stay for as long as the connection.
    socket.handshake.auth = {};
    socket.on('disconnect', reason => {
      log.debug({ socket: socket.id, reason }, 'A connection ended.');
      // Whoever says goodbye, or is sent away, is gone for good.
      const how = reason.endsWith('namespace disconnect') ? 'left' : 'lost';
      // It can join only once.
      socket.conn.close();
      joined.then(
        async userId => {
          if (clients.detach(userId, socket)) await service.disconnect(userId, how);
        },
        () => undefined,
      );
    });
    handleSocketEvents(socket, { joined, address: addresses.of(socket.request) }, options);
    joined.then(
      userId => log.debug({ user: userId, socket: socket.id }, 'A user connected.'),
      error => refuse(socket, error),
    );
  });

  const refuse = (socket: ChatSocket, error: unknown): void => {
    // The client keeps its token and comes back, to this node or another one.
    const { message: text, ...details } = describeError(error, log);
    metrics.errorSent(details.code);
    socket.emit('error', text, details);
    socket.conn.close();
  };

  /** The token of a client was no good: it is a new user after all. One too many is sent away again. */
  const countAfterAll = async (socket: ChatSocket): Promise<void> => {
    try {
      await limits.newUser(addresses.of(socket.request));
    } catch (error) {
      if (clients.detach(socket.id, socket)) await service.disconnect(socket.id, 'left');
      throw error;
    }
  };

  const join = async (socket: ChatSocket): Promise<string> => {
    const { resume } = parseHandshake(socket.handshake.auth);
    const shown = shownToken(socket);
    if (resume === undefined) {
      service.connect(socket.id);
      clients.attach(socket.id, socket);
      return socket.id;
    }
    const userId = await service.resume(socket.id, resume === true ? undefined : resume, {
      attach: userId => clients.attach(userId, socket),
      isOpen: () => socket.connected,
    });
    if (shown?.userId === userId) limits.resumed(userId);
    else if (shown) await countAfterAll(socket);
    // Whoever has nothing to say answers a ping, which comes after the welcome.
    socket.conn.once('heartbeat', () => service.heard(userId));
    greet(userId);
    return userId;
  };
}

/** The token that a client shows to resume, if it can be one. */
function shownToken(socket: ChatSocket): ResumeToken | undefined {
  const { resume } = parseHandshake(socket.handshake.auth);
  return typeof resume === 'string' ? parseResumeToken(resume) : undefined;
}
