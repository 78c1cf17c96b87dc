import { connect, type Socket } from 'node:net';

/** Each of these addresses of this machine has its own ports, of which one would not have enough. */
const addresses = 200;
/** Who is behind by this much in sending sends no more. */
const mostUnsentBytes = 128 * 1024;
let connections = 0;

/** The end of an attempt that did not make a connection: answered with a time to come back, closed, or something else. */
export type Refusal = 'put off' | 'hung up' | 'other';

export interface RawHandlers {
  joined?: (client: RawClient) => void;
  /** A packet of Socket.IO: its text, from its type on, such as `2["matched",…]`. */
  packet?: (text: string, client: RawClient) => void;
  /** It is over, before or after it has joined. Does not come when the caller itself ended it. */
  ended?: (refusal: Refusal, client: RawClient) => void;
}

/**
 * A connection that costs next to nothing, so that one core can ask for more than another one can do: Socket.IO over WebSocket on
 * a bare TCP connection. It understands what a chat node sends, and no more.
 */
export class RawClient {
  readonly #socket: Socket;
  readonly #handlers: RawHandlers;
  #state: 'asking' | 'open' | 'joined' | 'over' = 'asking';
  #unread = '';

  constructor(port: number, handlers: RawHandlers) {
    this.#handlers = handlers;
    const localAddress = `127.0.0.${1 + (connections++ % addresses)}`;
    this.#socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    this.#socket.on('data', (text: unknown) => this.#read(text as string));
    this.#socket.on('error', () => this.#end('hung up'));
    this.#socket.on('close', () => this.#end('hung up'));
  }

  get isJoined(): boolean {
    return this.#state === 'joined';
  }

  /** Whether it can send more without keeping it in memory. */
  get canSend(): boolean {
    return this.isJoined && this.#socket.writableLength < mostUnsentBytes;
  }

  /** Sends what {@link frame} has made. */
  send(frames: Buffer): void {
    this.#socket.write(frames);
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#state = 'over';
    this.#socket.destroy();
  }

  #read(text: string): void {
    let data = this.#unread + text;
    if (this.#state === 'asking') {
      const end = data.indexOf('\r\n\r\n');
      if (end >= 0 && !data.startsWith('HTTP/1.1 101')) {
        this.#end(data.startsWith('HTTP/1.1 503') && data.includes('Retry-After') ? 'put off' : 'other');
      }
      if (end >= 0 && this.#state === 'asking') {
        this.#state = 'open';
        data = data.slice(end + 4);
      }
    }
    while (this.#state === 'open' || this.#state === 'joined') {
      const short = data.charCodeAt(1);
      const head = short < 126 ? 2 : 4;
      const length = short < 126 ? short : data.charCodeAt(2) * 256 + data.charCodeAt(3);
      if (!(data.length >= head + length)) break;
      this.#take(data.slice(head, head + length));
      data = data.slice(head + length);
    }
    this.#unread = data;
  }

  #take(packet: string): void {
    if (packet[0] === '0') this.send(hello);
    else if (packet[0] === '2') this.send(pong);
    else if (packet[0] !== '4') this.#end('hung up');
    else if (packet[1] !== '0') this.#handlers.packet?.(packet.slice(1), this);
    else {
      this.#state = 'joined';
      this.#handlers.joined?.(this);
    }
  }

  #end(refusal: Refusal): void {
    if (this.#state === 'over') return;
    this.cut();
    this.#handlers.ended?.(refusal, this);
  }
}

/** A packet of ASCII text of up to 125 characters as a client must send it: masked, with zeros. */
export function frame(packet: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | packet.length, 0, 0, 0, 0]), Buffer.from(packet, 'latin1')]);
}

const hello = frame('40');
const pong = frame('3');
