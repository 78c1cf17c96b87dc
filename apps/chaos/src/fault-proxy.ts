import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Which way bytes go: from whoever connected to the proxy, or back. */
export type Direction = 'there' | 'back';

/** A connection whose held bytes are more than this is ended. */
const mostHeldBytes = 64 * 1024 * 1024;

/**
 * A TCP proxy on a free port of this machine that can misbehave as networks do. What it holds back while it is cut is
 * passed on when it is healed, even if the sender has closed meanwhile, because that is what TCP does: so a command can
 * arrive long after its sender has given it up.
 */
export class FaultProxy {
  readonly #server: Server;
  readonly #upstream: () => number | undefined;
  readonly #links = new Set<Link>();
  readonly #weather: Weather = { held: new Set(), delayMs: 0 };
  #refusing = false;

  private constructor(upstream: () => number | undefined) {
    this.#upstream = upstream;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#link(client));
  }

  /** @param upstream asked at every new connection for the port to pass it on to; without one it is refused */
  static async listen(upstream: () => number | undefined): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Keeps connections open but passes nothing on in these directions.
   * @param present only the connections that are open now; later ones work
   */
  cut(directions: readonly Direction[], { present = false } = {}): void {
    for (const link of this.#links) for (const direction of directions) link.weather.held.add(direction);
    if (!present) for (const direction of directions) this.#weather.held.add(direction);
  }

  /** Every piece is passed on so much later. */
  delay(ms: number): void {
    this.#weather.delayMs = ms;
    for (const link of this.#links) link.weather.delayMs = ms;
  }

  /** Ends all connections, and every new one at once, until healed. */
  refuse(): void {
    this.#refusing = true;
    this.reset();
  }

  /** Ends all connections, without a farewell. */
  reset(): void {
    for (const link of this.#links) link.reset();
  }

  /** Ends all connections for those who opened them. What is held back goes its way all the same, when healed. */
  abandon(): void {
    for (const link of this.#links) link.abandon();
  }

  /** All is well again; what was held back is passed on. */
  heal(): void {
    this.#refusing = false;
    this.#weather.held.clear();
    this.#weather.delayMs = 0;
    for (const link of this.#links) link.heal();
  }

  /** Ends everything for good. */
  close(): void {
    this.#server.close();
    this.reset();
  }

  #link(client: Socket): void {
    const port = this.#refusing ? undefined : this.#upstream();
    if (port === undefined) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const weather = { held: new Set(this.#weather.held), delayMs: this.#weather.delayMs };
    const link = new Link(client, server, weather);
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
  }
}

interface Weather {
  readonly held: Set<Direction>;
  delayMs: number;
}

/** Two sockets, and what is on its way between them. */
class Link {
  readonly weather: Weather;
  readonly closed: Promise<unknown>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #pipes: readonly [Pipe, Pipe];

  constructor(client: Socket, server: Socket, weather: Weather) {
    this.weather = weather;
    this.#sockets = [client, server];
    this.closed = Promise.all(this.#sockets.map(socket => new Promise(resolve => socket.once('close', resolve))));
    this.#pipes = [new Pipe(client, server, weather, 'there'), new Pipe(server, client, weather, 'back')];
  }

  heal(): void {
    this.weather.held.clear();
    this.weather.delayMs = 0;
    for (const pipe of this.#pipes) pipe.flush();
  }

  abandon(): void {
    this.#sockets[0].resetAndDestroy();
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

/** One direction of a connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: Weather;
  readonly #direction: Direction;
  /** What waits, with when it may go; the end of the stream is a piece without bytes. */
  readonly #waiting: { bytes?: Buffer; dueAt: number }[] = [];
  #heldBytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, weather: Weather, direction: Direction) {
    this.#from = from;
    this.#to = to;
    this.#weather = weather;
    this.#direction = direction;
    from.on('error', () => {}); // Followed by 'close'.
    from.on('data', bytes => this.#take(bytes));
    from.on('end', () => this.#take(undefined));
    from.on('close', () => this.#take(undefined));
    to.on('close', () => clearTimeout(this.#timer));
  }

  flush(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const [next] = this.#waiting;
      if (!next || this.#weather.held.has(this.#direction)) return;
      const waitMs = this.#weather.delayMs === 0 ? 0 : next.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), waitMs);
        return;
      }
      this.#waiting.shift();
      this.#pass(next.bytes);
    }
  }

  #take(bytes: Buffer | undefined): void {
    if (this.#ended) {
      // It ended before, in good order, and now it is closed: nothing can be said to it any more.
      if (this.#from.destroyed && this.#waiting.length === 0) this.#to.destroySoon();
      return;
    }
    this.#ended = bytes === undefined;
    this.#heldBytes += bytes?.length ?? 0;
    if (this.#heldBytes > mostHeldBytes) this.#to.destroy();
    this.#waiting.push({ ...(bytes && { bytes }), dueAt: performance.now() + this.#weather.delayMs });
    this.flush();
  }

  #pass(bytes: Buffer | undefined): void {
    this.#heldBytes -= bytes?.length ?? 0;
    if (this.#to.destroyed) return;
    if (bytes === undefined) {
      if (this.#from.destroyed) this.#to.destroySoon();
      else this.#to.end();
    } else if (!this.#to.write(bytes) && !this.#from.isPaused()) {
      this.#from.pause();
      this.#to.once('drain', () => this.#from.resume());
    }
  }
}
