import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';

/** A WebSocket with no manners: it sends any bytes at all, answers no ping, and stops reading when told to. */
export class RawWebSocket {
  /** Settles when the connection is closed, by whomever. */
  readonly closed: Promise<void>;
  /** The text frames that came and no `next` has taken yet. */
  readonly frames: string[] = [];
  /** What came in pongs of the WebSocket. */
  readonly pongs: string[] = [];
  readonly #socket: Socket;
  #unread: Buffer<ArrayBufferLike>;
  #arrived: () => void = () => undefined;

  private constructor(socket: Socket, head: Buffer) {
    this.#socket = socket;
    this.#unread = head;
    this.closed = new Promise(resolve => {
      socket.once('close', () => {
        resolve();
        this.#arrived();
      });
    });
    // A node that closes first makes later writes fail, which is nothing to a client like this.
    socket.on('error', () => undefined);
    socket.on('data', chunk => this.#read(chunk));
    this.#read(Buffer.alloc(0));
  }

  /** Opens an Engine.IO connection; rejects if the node puts it off. The namespace is not joined yet. */
  static async open(url: string, query = 'EIO=4&transport=websocket'): Promise<RawWebSocket> {
    const opening = request(`${url}/socket.io/?${query}`, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    });
    opening.once('response', ({ statusCode }) => opening.destroy(new Error(`The node answered with ${statusCode}.`)));
    opening.end();
    const [, socket, head] = await once(opening, 'upgrade');
    return new RawWebSocket(socket, head);
  }

  /** Opens a connection and joins the namespace. */
  static async join(url: string): Promise<RawWebSocket> {
    const opened = await RawWebSocket.open(url);
    opened.send('40');
    await opened.next('40');
    return opened;
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  send(text: string): void {
    this.sendFrame(0x81, Buffer.from(text));
  }

  sendBinary(bytes: Uint8Array): void {
    this.sendFrame(0x82, Buffer.from(bytes));
  }

  /** @param head the first byte of the frame: flags and opcode */
  sendFrame(head: number, payload: Buffer): void {
    const { length } = payload;
    const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    header[0] = head;
    header[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
    if (header.length === 4) header.writeUInt16BE(length, 2);
    if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
    // Masked with zeros, so the payload stays as it is.
    this.sendBytes(Buffer.concat([header, Buffer.alloc(4), payload]));
  }

  sendBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next text frame that begins like this, which is taken out; undefined when the connection closes first. */
  async next(beginning: string): Promise<string | undefined> {
    for (;;) {
      const at = this.frames.findIndex(frame => frame.startsWith(beginning));
      const [found] = at < 0 ? [] : this.frames.splice(at, 1);
      if (found !== undefined || this.isClosed) return found;
      await new Promise<void>(resolve => {
        this.#arrived = resolve;
      });
    }
  }

  /** Sends an event with an acknowledgement. @returns the reply, or undefined when the connection closes first */
  async ask(event: string, ...args: unknown[]): Promise<unknown> {
    this.send(`42777${JSON.stringify([event, ...args])}`);
    const reply = await this.next('43777');
    return reply === undefined ? undefined : JSON.parse(reply.slice(5))[0];
  }

  /** Reads nothing any more. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (;;) {
      const frame = takeFrame(this.#unread);
      if (!frame) return;
      this.#unread = frame.rest;
      if (frame.opcode === 1) this.frames.push(frame.payload.toString());
      if (frame.opcode === 10) this.pongs.push(frame.payload.toString());
      // The node says that it closes the connection, and would wait for the same from this side.
      if (frame.opcode === 8) this.close();
      this.#arrived();
    }
  }
}

/** A server's frames are neither masked nor, here, in fragments. */
function takeFrame(bytes: Buffer<ArrayBufferLike>) {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = start + length;
  if (bytes.length < end) return undefined;
  return { opcode: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, end), rest: bytes.subarray(end) };
}
