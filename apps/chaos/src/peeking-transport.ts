import type { Welcome } from '@passerby/protocol';
import { NodeWebSocket } from 'engine.io-client';

/**
 * The WebSocket transport for socket.io-client, which tells us who the server says that the client is. The client library
 * keeps that to itself, as its users need not know.
 * @param welcomed called with the id of the connection and what the server says, before the library knows
 */
export function peekingTransport(welcomed: (socketId: string, welcome: Welcome) => void): typeof NodeWebSocket {
  return class extends NodeWebSocket {
    #socketId = '';

    override onData(data: string | Buffer): void {
      const text = String(data);
      if (text.startsWith('40{')) this.#socketId = (JSON.parse(text.slice(2)) as { sid: string }).sid;
      if (text.startsWith('42["welcome",')) {
        const [, welcome] = JSON.parse(text.slice(2)) as [string, Welcome];
        welcomed(this.#socketId, welcome);
      }
      super.onData(data);
    }
  };
}
