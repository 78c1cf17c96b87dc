import { type IncomingMessage, ServerResponse } from 'node:http';
import { errorTexts } from '@passerby/protocol';
import type { Overload } from './overload.ts';
import type { ChatServer } from './socket-server.ts';

/**
 * Answers a new connection that the node had better not take now with 503 and a time to come back, before anything is made for
 * it; also one that asks for a WebSocket. A client that comes back says `resume=1`, and whether that is true shows later.
 */
export function putOffConnections(io: ChatServer, overload: Pick<Overload, 'ask'>): void {
  io.engine.use((request: EngineRequest, response: ServerResponse, next: () => void) => {
    if (request._query.sid !== undefined) return next();
    const waitMs = overload.ask(request._query.resume === '1' ? 'return' : 'connection');
    if (waitMs === 0) next();
    else refuse(request, response, waitMs);
  });
}

type EngineRequest = IncomingMessage & { _query: Record<string, string> };

function refuse({ socket }: IncomingMessage, response: ServerResponse, retryAfterMs: number): void {
  const body = JSON.stringify({ code: 'UNAVAILABLE', message: errorTexts.UNAVAILABLE, retryAfterMs });
  const headers = {
    'Retry-After': String(Math.ceil(retryAfterMs / 1000)),
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  };
  if (response instanceof ServerResponse) {
    response.writeHead(503, headers).end(body);
    return;
  }
  // For an upgrade Engine.IO gives a response that answers nothing.
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  socket.write(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${body}`);
  socket.destroySoon();
}
