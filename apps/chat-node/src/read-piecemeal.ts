import type { Duplex } from 'node:stream';

/** An ordinary request takes one or two of these. More than 25 requests do not fit into one. */
const pieceBytes = 1024;

/** What has come on a connection and was not given to HTTP yet. */
const unread = new WeakMap<Duplex, Buffer>();

/**
 * Has Node's HTTP server read a connection a little at a time. By itself it reads all that has come, up to 64 kB, also when the
 * first request in it made somebody end the connection: two thousand more are parsed for nothing, in one turn of the event loop.
 * To be called once the server has the connection.
 */
export function readPiecemeal(socket: Duplex): void {
  const [read] = socket.listeners('data');
  if (!read) return;
  socket.removeListener('data', read as () => void);
  // A listener of ours also makes the parser give up its own way to the data.
  socket.on('data', function readPieces(chunk: Buffer) {
    for (let at = 0; at < chunk.length && !socket.destroyed && !socket.writableEnded; at += pieceBytes) {
      unread.set(socket, chunk.subarray(at + pieceBytes));
      read.call(socket, chunk.subarray(at, at + pieceBytes));
      // It is a WebSocket now, which has taken the rest.
      if (!unread.has(socket)) {
        socket.removeListener('data', readPieces);
        return;
      }
    }
    // Engine.IO keeps the connection of a session's first request, and so would keep all that came with it.
    unread.delete(socket);
  });
}

/** What came behind a request to upgrade: the head that the server found, and what it has not read. Nothing is read any more. */
export function takeUnread(socket: Duplex, head: Buffer): Buffer {
  const rest = unread.get(socket);
  unread.delete(socket);
  return rest ? Buffer.concat([head, rest]) : head;
}
