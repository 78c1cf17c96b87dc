import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { ClientAddresses } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import type { OpenConnections } from './open-connections.ts';
import { PacketBudget } from './packet-budget.ts';
import type { RateLimits } from './rate-limits.ts';
import type { ChatServer } from './socket-server.ts';
import { terminate } from './terminate.ts';

/** A client that reads nothing is cut off when more than this waits for it, in bytes. */
const maxWaitingBytes = 1024 * 1024;
/** What each packet that waits takes besides its text, in bytes, about. */
const packetBytes = 100;

/** Between the packets of a payload over polling. */
const separator = '\x1e';
/** First characters of Socket.IO packets. There is no binary event, and nobody but the server refuses to connect. */
const [connect, disconnect, event, acknowledgement] = ['0', '1', '2', '3'];

interface Packet {
  type: string;
  data?: unknown;
}

/** The parts of an Engine.IO connection that its types hide, or that are here anyway. */
interface EngineConnection {
  readonly request: IncomingMessage;
  readonly transport: { name: string; socket?: WebSocket; onData(payload: string): void };
  on(event: 'packet' | 'packetCreate', listener: (packet: Packet) => void): void;
  on(event: 'flush' | 'close', listener: () => void): void;
  close(discard: boolean): void;
}

export interface ConnectionGuardOptions {
  addresses: ClientAddresses;
  limits: RateLimits;
  open: OpenConnections;
  metrics: Pick<Metrics, 'refused'>;
}

/** Holds every Engine.IO connection to what {@link ConnectionGuard} says. */
export function guardConnections(io: ChatServer, options: ConnectionGuardOptions): void {
  io.engine.on('connection', (connection: EngineConnection) => void new ConnectionGuard(connection, options));
}

/**
 * Bounds what one connection costs, below the events of Socket.IO: what it sends, what waits for it, and what it may say at
 * all. Whoever breaks the bounds is closed at once, with all that comes behind.
 */
class ConnectionGuard {
  readonly #connection: EngineConnection;
  readonly #options: ConnectionGuardOptions;
  readonly #budget: PacketBudget;
  #isConnected = false;
  /** What Engine.IO keeps for the client, in bytes: Socket.IO's own answers and announcements, too. */
  #waitingBytes = 0;
  /** A ping waits to be sent, or was sent: only then there is a pong. */
  #ping: 'none' | 'waits' | 'sent' = 'none';

  constructor(connection: EngineConnection, options: ConnectionGuardOptions) {
    const { addresses, limits, open } = options;
    this.#connection = connection;
    this.#options = options;
    const address = addresses.of(connection.request);
    this.#budget = new PacketBudget(limits.packets, address);
    open.add(address);
    connection.on('close', () => open.remove(address));
    connection.on('packet', packet => this.#receive(packet));
    connection.on('packetCreate', packet => this.#send(packet));
    connection.on('flush', () => this.#flush());
    if (connection.transport.name === 'polling') this.#boundPayloads();
    // Several may have been let in before the first of them came to be.
    if (open.of(address) > limits.open) this.#close('open');
  }

  /** Engine.IO takes a whole payload apart before anybody sees the first packet of it. */
  #boundPayloads(): void {
    const { transport } = this.#connection;
    const take = transport.onData.bind(transport);
    transport.onData = payload => {
      if (hasMorePackets(payload, this.#options.limits.packets.points)) this.#close('packets');
      else take(payload);
    };
  }

  #receive(packet: Packet): void {
    const offence = this.#offenceOf(packet);
    if (offence) this.#close(offence);
  }

  #offenceOf({ type, data }: Packet): 'packets' | 'protocol' | undefined {
    // A WebSocket's frames are counted where they come in: see boundedWebSockets.
    const isPolling = this.#connection.transport.name === 'polling';
    if (isPolling && !this.#budget.take(lengthOf(data))) return 'packets';
    if (type === 'message' && !this.#isAllowed(data)) return 'protocol';
    if (type !== 'pong') return undefined;
    const isAnswer = this.#ping === 'sent';
    this.#ping = 'none';
    return isAnswer ? undefined : 'protocol';
  }

  /** Whether Socket.IO may see this: an event in the one namespace there is, which is joined once. */
  #isAllowed(data: unknown): boolean {
    if (typeof data !== 'string') return false;
    const type = data[0];
    // Some clients name the root namespace, `/`, which most leave out.
    if (data[1] === '/' && data.length > 2 && data[2] !== ',') return false;
    if (type === event || type === acknowledgement || type === disconnect) return this.#isConnected;
    const isFirst = !this.#isConnected;
    this.#isConnected = true;
    return isFirst && type === connect;
  }

  #send({ type, data }: Packet): void {
    if (type === 'ping') this.#ping = 'waits';
    this.#waitingBytes += packetBytes + lengthOf(data);
    const sendingBytes = this.#connection.transport.socket?.bufferedAmount ?? 0;
    if (this.#waitingBytes + sendingBytes > maxWaitingBytes) this.#close('unread');
  }

  #flush(): void {
    this.#waitingBytes = 0;
    if (this.#ping === 'waits') this.#ping = 'sent';
  }

  #close(reason: string): void {
    const { socket } = this.#connection.transport;
    this.#options.metrics.refused(reason);
    this.#connection.close(true);
    if (socket) terminate(socket);
  }
}

function hasMorePackets(payload: string, most: number): boolean {
  let count = 1;
  for (let at = payload.indexOf(separator); at >= 0; at = payload.indexOf(separator, at + 1)) {
    if (++count > most) return true;
  }
  return false;
}

function lengthOf(data: unknown): number {
  return typeof data === 'string' || Buffer.isBuffer(data) ? data.length : 0;
}
