import type { ChatSocket } from './socket-server.ts';

/** A client that reads nothing is cut off when more than this waits for it. */
const maxWaitingPackets = 10_000;
const maxWaitingBytes = 1024 * 1024;

/** The parts of Engine.IO that tell how much waits for a client; its types hide them. */
interface Waiting {
  writeBuffer: unknown[];
  /** `socket`: while the transport is a WebSocket. */
  transport: { socket?: { bufferedAmount: number; terminate(): void } };
}

/** To call after packets to a client: Socket.IO itself keeps what a client does not read, without bound. */
export function cutOffIfStalled(socket: ChatSocket): void {
  const { writeBuffer, transport } = socket.conn as unknown as Waiting;
  const waitingBytes = transport.socket?.bufferedAmount ?? 0;
  if (writeBuffer.length <= maxWaitingPackets && waitingBytes <= maxWaitingBytes) return;
  socket.conn.close(true);
  // A WebSocket would be kept for 30 s more, with all that waits in it, for a farewell that a client like this never sends.
  transport.socket?.terminate();
}
