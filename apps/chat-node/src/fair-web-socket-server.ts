import { type ServerOptions, WebSocketServer } from 'ws';

/**
 * The WebSocket server for Engine.IO. A connection that sends more than the node can carry is read no faster than one message
 * in each turn of the event loop: others have their turn in between, no turn becomes long, and what is not read waits at the
 * sender, as TCP does it.
 */
export class FairWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, allowSynchronousEvents: false });
  }
}
