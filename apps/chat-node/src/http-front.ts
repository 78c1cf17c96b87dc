import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { acceptInTurns } from './accept-in-turns.ts';
import type { Admission, Refusal } from './admission.ts';
import { takeUnread } from './read-piecemeal.ts';

/** How long the head of a request may take, and all of it, in ms. No request of ours is longer than 64 kB. */
const headWithinMs = 10_000;
const requestWithinMs = 20_000;
/**
 * A connection on which nothing moves for so long is closed, also while it does not read an answer, in ms. A poll is
 * answered sooner, with a ping. WebSockets are not counted here.
 */
const silentMs = 30_000;

/**
 * The server that faces the world. What it lets in goes to the server behind it, which listens nowhere: Socket.IO and
 * Express see no request that was not looked at, whatever path it takes.
 */
export function createHttpFront(inner: Server, admission: Admission): Server {
  const front = createServer({
    headersTimeout: headWithinMs,
    requestTimeout: requestWithinMs,
    connectionsCheckingInterval: 1000,
  });
  front.setTimeout(silentMs);
  acceptInTurns(front, {
    refusedNetwork: socket => admission.refusedNetwork(socket),
    networkOf: socket => admission.networkOf(socket),
    dropped: () => admission.hungUp(),
  });
  /** Connections on which a request is under way, and those that are about to be closed. */
  const busy = new WeakSet<Socket>();
  const closing = new WeakSet<Socket>();
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    if (busy.has(socket) || closing.has(socket)) {
      // Neither browsers nor proxies send a request before they have the answer to the one before it. Some hundred of them come in
      // one TCP packet, and answers that nobody reads would wait here.
      admission.pipelined(socket);
      socket.destroy();
      return;
    }
    const refusal = admission.refusal(request);
    busy.add(socket);
    response.once('finish', () => {
      busy.delete(socket);
      // It has its answer, and would go on sending.
      if (!request.complete) socket.destroySoon();
    });
    if (!refusal) {
      inner.emit('request', request, response);
      return;
    }
    closing.add(socket);
    response.writeHead(refusal.status, headersOf(refusal, admission.allowedOriginOf(request))).end(bodyOf(refusal));
  };
  front.on('request', answer);
  // Node.js answers an expectation that it does not know by itself, and asks nobody.
  front.on('checkExpectation', answer);
  front.on('upgrade', (request, socket, head) => {
    const unread = takeUnread(socket, head);
    const refusal = admission.refusal(request, { isUpgrade: true });
    if (!refusal) {
      inner.emit('upgrade', request, socket, unread);
      return;
    }
    // One that is gone already makes the write fail, which is nothing to us.
    socket.on('error', () => undefined);
    const lines = Object.entries(headersOf(refusal, admission.allowedOriginOf(request))).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const line = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n`;
    socket.end(`${line}${lines.join('')}\r\n${bodyOf(refusal)}`, () => socket.destroy());
  });
  return front;
}

function bodyOf({ status: _status, ...body }: Refusal): string {
  return JSON.stringify(body);
}

/** @param origin of a page of another site that may read this */
function headersOf(refusal: Refusal, origin: string | undefined): Record<string, string | number> {
  const { retryAfterMs } = refusal;
  return {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(bodyOf(refusal)),
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...(origin !== undefined && { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }),
    ...(retryAfterMs !== undefined && { 'Retry-After': Math.ceil(retryAfterMs / 1000) }),
  };
}
