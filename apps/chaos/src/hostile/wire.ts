import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { loopbackOnly } from './loopback-only.ts';

/** What an attack has sent: each counted once this machine's kernel has taken it. */
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

/** A TCP connection with no manners: it sends any bytes at all, and reads only when told to. */
export class Wire {
  /** Whether the node owes it something: bytes, or the end of the connection. */
  expectsAnswer = false;
  /** Whether any byte has come. */
  heard = false;
  readonly #socket: Socket;
  readonly #tally: Tally;
  readonly #isOver: () => boolean;
  #connected = false;
  #received = '';
  #waiters: (() => void)[] = [];

  private constructor({ from, to, port, tally, wires, isOver }: WireOptions) {
    this.#tally = tally;
    this.#isOver = isOver;
    wires.add(this);
    this.#socket = connect({ host: loopbackOnly(to), port, localAddress: from, noDelay: true });
    this.#socket.on('error', () => {}); // It closes.
    this.#socket.on('connect', () => {
      this.#connected = true;
      tally.connections++;
      tally.packets++;
      tally.bytes += bytesOfConnection;
      this.wake();
    });
    this.#socket.on('data', chunk => {
      this.heard = true;
      this.#received = (this.#received + chunk.toString('latin1')).slice(-rememberedCharacters);
      this.wake();
    });
    this.#socket.on('drain', () => this.wake());
    this.#socket.on('close', () => {
      wires.delete(this);
      this.wake();
    });
  }

  /** Waits until it is connected, or cannot be. */
  static async open(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options);
    while (!wire.#connected && !wire.#isDone) await wire.#news();
    return wire;
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Whether it was refused before it began. */
  get failed(): boolean {
    return this.isClosed && !this.#connected;
  }

  /** Sends, and waits while the node takes nothing more. @returns false once the connection is closed */
  async send(data: string | Buffer, packets = 1): Promise<boolean> {
    if (this.isClosed) return false;
    const bytes = Buffer.byteLength(data);
    const flows = this.#socket.write(data, error => {
      if (error) return;
      this.#tally.packets += packets;
      this.#tally.bytes += bytes;
    });
    // Even a write that succeeds at once gives way: else nothing would ever be read here.
    await turn();
    if (!flows) while (this.#socket.writableNeedDrain && !this.#isDone) await this.#news();
    return !this.isClosed;
  }

  /** Sends what must be answered, and waits for the first bytes or the end. */
  async ask(data: string | Buffer): Promise<void> {
    this.expectsAnswer = true;
    this.heard = false;
    await this.send(data);
    while (!this.heard && !this.#isDone) await this.#news();
  }

  /** The first match in what comes, which is then forgotten up to there; undefined when it closes, or the time is over, first. */
  async until(pattern: RegExp): Promise<RegExpExecArray | undefined> {
    for (;;) {
      const found = pattern.exec(this.#received);
      if (found) this.#received = this.#received.slice(found.index + found[0].length);
      if (found || this.#isDone) return found ?? undefined;
      await this.#news();
    }
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

  get #isDone(): boolean {
    return this.isClosed || this.#isOver();
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      this.#waiters.push(resolve);
    });
  }
}
