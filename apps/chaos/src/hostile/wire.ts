import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { loopbackOnly } from './loopback-only.ts';

/** What has been sent: each counted once this machine's kernel has taken it. */
export interface Tally {
  connections: number;
  /** Connections, HTTP requests and WebSocket frames. What one request or frame holds is not counted again. */
  packets: number;
  bytes: number;
}

/** SYN, ACK and FIN, each with its IP and TCP headers and the usual options. No other header of TCP is counted. */
const bytesOfConnection = 60 + 52 + 52;
const rememberedCharacters = 65_536;

export interface WireOptions {
  from: string;
  to: string;
  port: number;
  tally: Tally;
  /** Holds all that are open. */
  wires: Set<Wire>;
  /** When true, nothing is waited for any more. */
  isOver: () => boolean;
}

/** A TCP connection with no manners: it sends any bytes at all, and reads only as long as it wants. */
export class Wire {
  /** Whether the node owes it something: bytes, or the end of the connection. */
  expectsAnswer = false;
  /** Whether any byte has come since it last asked. */
  heard = false;
  readonly #socket: Socket;
  readonly #options: WireOptions;
  #received = '';
  #waiters: (() => void)[] = [];

  private constructor(options: WireOptions) {
    const { from, to, port, tally, wires } = options;
    this.#options = options;
    wires.add(this);
    this.#socket = connect({ host: loopbackOnly(to), port, localAddress: loopbackOnly(from), noDelay: true });
    this.#socket.on('error', () => {}); // It closes.
    this.#socket.on('connect', () => {
      tally.connections++;
      tally.packets++;
      tally.bytes += bytesOfConnection;
    });
    this.#socket.on('data', chunk => {
      this.heard = true;
      this.#received = (this.#received + chunk.toString('latin1')).slice(-rememberedCharacters);
    });
    this.#socket.on('close', () => wires.delete(this));
    for (const event of ['connect', 'data', 'drain', 'close']) this.#socket.on(event, () => this.wake());
  }

  /** Waits until it is connected, or cannot be. */
  static async open(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options);
    // Also when the time is over: whatever has begun is counted.
    while (wire.#socket.connecting && !wire.isClosed) await wire.#news();
    return wire;
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends, and waits while the node takes nothing more. @returns false once the connection is closed */
  async send(data: string | Buffer, packets = 1): Promise<boolean> {
    if (this.isClosed) return false;
    this.#socket.write(data, error => {
      if (error) return;
      this.#options.tally.packets += packets;
      this.#options.tally.bytes += Buffer.byteLength(data);
    });
    // Even a write that succeeds at once gives way: else nothing would ever be read here.
    await turn();
    await this.#until(() => !this.#socket.writableNeedDrain);
    return !this.isClosed;
  }

  /** Sends what must be answered, and waits for the first bytes or the end. */
  async ask(data: string | Buffer): Promise<void> {
    this.expectsAnswer = true;
    this.heard = false;
    await this.send(data);
    await this.#until(() => this.heard);
  }

  /** The first match in what comes, which is then forgotten up to there; none when it closes, or time is over, first. */
  async find(pattern: RegExp): Promise<RegExpExecArray | []> {
    let found: RegExpExecArray | null = null;
    await this.#until(() => {
      found = pattern.exec(this.#received);
      return found !== null;
    });
    if (found === null) return [];
    const { index, 0: text } = found as RegExpExecArray;
    this.#received = this.#received.slice(index + text.length);
    return found;
  }

  /** Until the node ends it, or the time is over. */
  async end(): Promise<void> {
    await this.#until(() => false);
  }

  /** Reads nothing any more. */
  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Ends it as a crash does, with RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Makes whoever waits look again. */
  wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.isClosed && !this.#options.isOver()) await this.#news();
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      this.#waiters.push(resolve);
    });
  }
}
