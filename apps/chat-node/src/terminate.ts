import type { WebSocket } from 'ws';

/** Ends a WebSocket at once: a farewell would keep it, and all that comes meanwhile, for 30 s. */
export function terminate(socket: WebSocket): void {
  // Frames that have come already are read to the end; nobody is to hear of them.
  socket.removeAllListeners('message');
  socket.removeAllListeners('ping');
  socket.terminate();
}
