import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { ClientAddresses } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { PacketBudget } from './packet-budget.ts';
import type { RateLimits } from './rate-limits.ts';
import { terminate } from './terminate.ts';

/** Into so many frames, or TCP packets, a message may be broken up. Browsers break up none that is allowed here. */
const maxFragments = 64;
const maxBufferedChunks = 512;

/** A ping is not answered while more than this waits for the client, in bytes. */
const maxUnreadBytes = 64 * 1024;

export interface BoundedWebSocketsOptions {
  addresses: ClientAddresses;
  limits: Pick<RateLimits, 'packets'>;
  metrics: Pick<Metrics, 'refused'>;
}

/**
 * Makes a WebSocket server for Engine.IO that counts each frame before anything is done about it, also those that Engine.IO
 * never sees: pings, and what comes before an upgrade is complete.
 */
export function boundedWebSockets({ addresses, limits, metrics }: BoundedWebSocketsOptions): typeof WebSocketServer {
  const bound = (socket: WebSocket, request: IncomingMessage): void => {
    const budget = new PacketBudget(limits.packets, addresses.of(request));
    const take = (data: { length: number }): boolean => {
      if (budget.take(data.length)) return true;
      metrics.refused('packets');
      terminate(socket);
      return false;
    };
    socket.on('message', data => take(data as Buffer));
    socket.on('ping', data => {
      // Answers that are not read wait here.
      if (take(data) && socket.bufferedAmount < maxUnreadBytes) socket.pong(data);
    });
    socket.on('pong', take);
  };
  return class BoundedWebSocketServer extends WebSocketServer {
    constructor(options: ServerOptions) {
      // A connection that sends more than the node can carry is read no faster than one message in each turn of the event loop:
      // others have their turn in between, no turn becomes long, and what is not read waits at the sender, as TCP does it.
      super({ ...options, allowSynchronousEvents: false, autoPong: false, maxFragments, maxBufferedChunks });
    }

    override handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (webSocket: WebSocket, request: IncomingMessage) => void,
    ): void {
      super.handleUpgrade(request, socket, head, webSocket => {
        bound(webSocket, request);
        done(webSocket, request);
      });
    }
  } as typeof WebSocketServer;
}
