import { randomBytes } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { ClientEvents, ServerEvents } from '@passerby/protocol';
import { Server, type Socket } from 'socket.io';
import type { WebSocketServer } from 'ws';

export type ChatServer = Server<ClientEvents, ServerEvents>;
export type ChatSocket = Socket<ClientEvents, ServerEvents>;

/**
 * A larger packet ends the connection of its sender. A message of 5000 characters, the most that a node can be set to take,
 * has 60 kB when each is written as two `\\u` escapes.
 */
const maxPacketBytes = 64 * 1024;

export interface SocketServerOptions {
  /** Web origins that may connect besides this server's own; `*` allows all. */
  allowedOrigins: string[];
  /** Makes the WebSockets; left out, they are bound to nothing. */
  webSockets?: typeof WebSocketServer;
}

/** The Socket.IO server on an HTTP server. */
export function createSocketServer(http: HttpServer, { allowedOrigins, webSockets }: SocketServerOptions): ChatServer {
  const io: ChatServer = new Server(http, {
    maxHttpBufferSize: maxPacketBytes,
    // A packet is small, and a compressor takes more memory than everything that waits for a client.
    httpCompression: false,
    ...(webSockets && { wsEngine: webSockets }),
    pingInterval: 10_000,
    pingTimeout: 10_000,
    connectTimeout: 10_000,
    cors: { origin: allowedOrigins.includes('*') ? true : allowedOrigins },
  });
  announceSessionIds(io);
  return io;
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
