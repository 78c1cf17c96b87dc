import { randomBytes } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { ClientEvents, ServerEvents } from '@passerby/protocol';
import { Server, type Socket } from 'socket.io';
import { FairWebSocketServer } from './fair-web-socket-server.ts';

export type ChatServer = Server<ClientEvents, ServerEvents>;
export type ChatSocket = Socket<ClientEvents, ServerEvents>;

/**
 * A larger packet ends the connection of its sender, as it cannot be read far enough to be answered. A text of the greatest
 * length is far smaller: what lies between is answered with an error.
 */
const maxPacketBytes = 1024 * 1024;

export interface SocketServerOptions {
  /** Web origins that may connect besides this server's own; `*` allows all. */
  allowedOrigins: string[];
  /** Whether new connections are taken. Those that are refused try again by themselves, perhaps elsewhere. */
  isOpen: () => boolean;
}

/** The Socket.IO server on an HTTP server. */
export function createSocketServer(http: HttpServer, { allowedOrigins, isOpen }: SocketServerOptions): ChatServer {
  const io: ChatServer = new Server(http, {
    maxHttpBufferSize: maxPacketBytes,
    pingInterval: 10_000,
    pingTimeout: 10_000,
    connectTimeout: 10_000,
    wsEngine: FairWebSocketServer,
    cors: { origin: allowedOrigins.includes('*') ? true : allowedOrigins },
    // Engine.IO itself checks no origin when a WebSocket opens.
    allowRequest: (request, decide) => {
      if (!isOpen()) return decide('This node is being stopped. Connect again.', false);
      const allowed = originIsAllowed(request, allowedOrigins);
      return decide(allowed ? null : 'This web origin is not allowed. See ALLOWED_ORIGINS in .env.example.', allowed);
    },
  });
  announceSessionIds(io);
  return io;
}

/** A browser names the origin of the page; other clients name none, and could name any. */
function originIsAllowed({ headers }: IncomingMessage, allowedOrigins: string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || allowedOrigins.includes('*') || allowedOrigins.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/**
 * Answers every handshake with the header `passerby-sid`. Over HTTP polling, each request must reach the node that holds
 * the connection. A load balancer learns here which node that is, and finds the same id in `?sid=` of later requests, so
 * that clients need no cookies.
 */
function announceSessionIds(io: ChatServer): void {
  const sids = new WeakMap<IncomingMessage, string>();
  io.engine.generateId = (request: IncomingMessage) => {
    const sid = randomBytes(15).toString('base64url');
    sids.set(request, sid);
    return sid;
  };
  io.engine.on('initial_headers', (headers: Record<string, string>, request: IncomingMessage) => {
    const sid = sids.get(request);
    if (sid) headers['passerby-sid'] = sid;
  });
}
