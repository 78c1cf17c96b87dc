import type { ServerEvents } from '@passerby/protocol';
import type { ChatSocket } from './socket-server.ts';

/** First byte of a frame that holds the whole of a text. */
const wholeText = 0x81;
/** The types of Engine.IO and of Socket.IO that stand before an event. */
const [message, event] = ['4', '2'];
/** What a head of 4 bytes can tell. No event of ours comes near. */
const maxFrameBytes = 65_535;

/**
 * Sends an event to a client like `socket.emit`, for less. Only for what is plain JSON.
 *
 * Over a WebSocket it goes as one frame that is made here, the way in which Socket.IO's own adapters send what is for many:
 * `emit` looks for binary data in everything, and has the head and the body of a frame written apart. Over polling, Engine.IO
 * takes the text.
 */
export function sendEvent<Name extends keyof ServerEvents>(
  socket: ChatSocket,
  ...nameAndArguments: [Name, ...Parameters<ServerEvents[Name]>]
): void {
  const packet = event + JSON.stringify(nameAndArguments);
  const frame = frameOf(message + packet);
  const options: object = frame ? { wsPreEncodedFrame: [frame] } : {};
  socket.conn.write(packet, options);
}

/** Undefined when it would need a longer head. */
function frameOf(text: string): Buffer | undefined {
  const length = Buffer.byteLength(text);
  if (length > maxFrameBytes) return undefined;
  const isShort = length < 126;
  const headBytes = isShort ? 2 : 4;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = wholeText;
  if (isShort) frame[1] = length;
  else {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  }
  frame.write(text, headBytes);
  return frame;
}
