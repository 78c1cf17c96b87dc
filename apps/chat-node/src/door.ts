import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** So many connections may be read at a time that have not said yet what they want: a few ms of work, if all do it at once. */
const mostInHand = 32;
/** One that is silent for longer than this makes room, in ms. */
const silentMs = 100;
/** So many may wait to be read. More are closed as they come, which costs a fifth of what an answer does. */
const mostWaiting = 2048;

/**
 * Lets in the connections that come to a server, a few at a time: Node.js by itself accepts and reads all that there are in one
 * turn of the event loop, however long it takes, and whoever is connected already waits.
 * @param dropped is told of each connection that is closed without having been read
 */
export function keepDoor(http: HttpServer, dropped: () => void): void {
  const waiting: Socket[] = [];
  const inHand = new Map<Socket, NodeJS.Timeout>();
  const [letIn] = http.listeners('connection');
  const next = () => {
    for (const socket of waiting.splice(0, mostInHand - inHand.size)) {
      inHand.set(socket, setTimeout(settle, silentMs, socket).unref());
      letIn?.call(http, socket);
      socket.resume();
    }
    if (waiting.length < mostWaiting) http.maxConnections = Number.POSITIVE_INFINITY;
  };
  const settle = (socket: Socket) => {
    clearTimeout(inHand.get(socket));
    if (inHand.delete(socket) && waiting.length > 0 && inHand.size === mostInHand - 1) setImmediate(next);
  };
  // As with the option of `net.createServer`, which `http` does not pass on: nothing is read before `resume`.
  Object.assign(http, { pauseOnConnect: true });
  http.removeAllListeners('connection');
  http.on('connection', (socket: Socket) => {
    socket.once('close', () => settle(socket));
    // It may fail while it waits.
    socket.on('error', () => undefined);
    if (waiting.push(socket) === 1 && inHand.size < mostInHand) setImmediate(next);
    // Not 0, which is no limit to Node.js 20.
    if (waiting.length >= mostWaiting) http.maxConnections = 1;
  });
  for (const event of ['request', 'upgrade'])
    http.prependListener(event, ({ socket }: IncomingMessage) => settle(socket));
  http.on('drop', dropped);
}
