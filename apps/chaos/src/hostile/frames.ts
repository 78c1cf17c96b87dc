/** The first byte of a frame with a text, a ping, and so on. */
export const heads = { text: 0x81, binary: 0x82, close: 0x88, ping: 0x89, beginning: 0x01, continuation: 0x00 };

/** A WebSocket frame as clients send it. The mask is of zeros, so that the payload stays as it is. */
export function frame(payload: string | Buffer, head = heads.text): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([frameHeader(head, body.length), Buffer.alloc(4), body]);
}

/** What comes before the mask. @param length may be a lie */
export function frameHeader(head: number, length: number, masked = true): Buffer {
  const mask = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([head, mask | length]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = head;
  header[1] = mask | (length < 65_536 ? 126 : 127);
  if (length < 65_536) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** The same bytes so many times. */
export function times(count: number, bytes: string | Buffer): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(Buffer.from(bytes)));
}

/** A request without a body. @param headers each with its line end */
export function get(path: string, headers = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
}

export function webSocketUpgrade(headers = '', path = '/socket.io/?EIO=4&transport=websocket'): string {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  return get(path, `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}${headers}`);
}

export function post(path: string, body: string | Buffer, headers = ''): Buffer {
  const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const type = 'Content-Type: text/plain;charset=UTF-8\r\n';
  return Buffer.concat([Buffer.from(get(path, `${type}${headers}${length}`, 'POST')), Buffer.from(body)]);
}

/** Made when it is needed first, for it may be large. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
