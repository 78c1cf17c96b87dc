import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { BriefBlocks } from './brief-blocks.ts';
import { readPiecemeal } from './read-piecemeal.ts';

/** So many connections may be read at a time that have not said yet what they want: a few ms of work, if all do it at once. */
const mostInHand = 12;
/**
 * One that is silent for longer than this makes room, in ms. A request follows at once where a client has one; many who say
 * nothing must not hold up everybody else.
 */
const silentMs = 10;
/**
 * So many may stay silent, of one network and in all. Should they all speak in the same moment, that is some ten ms of work. Of
 * more, the one of the same network, or of the network that has most, is closed that has been silent for the longest time.
 */
const mostSilent = { ofNetwork: 128, inAll: 512 };
/** So many may wait to be read. More are closed as they come, which costs a fifth of what an answer does. */
const mostWaiting = 2048;

export interface AcceptInTurnsOptions {
  /** The network of a connection that is not let in, in CIDR notation; undefined for one that is. */
  refusedNetwork: (socket: Socket) => string | undefined;
  /** The network that a connection comes from; undefined for a trusted proxy, which brings many. */
  networkOf: (socket: Socket) => string | undefined;
  /** Is told of each connection that is closed without having been read, as too many wait. */
  dropped: () => void;
}

/**
 * Lets in the connections that come to a server, a few at a time: Node.js by itself reads all that have something to say in one
 * turn of the event loop, however long it takes, and whoever is connected already waits.
 */
export function acceptInTurns(http: HttpServer, { refusedNetwork, networkOf, dropped }: AcceptInTurnsOptions): void {
  let waiting: Socket[] = [];
  const inHand = new Map<Socket, NodeJS.Timeout>();
  const silent = new SilentSockets(networkOf);
  const blocks = new BriefBlocks(http);
  const [letIn] = http.listeners('connection');
  const next = () => {
    waiting = waiting.filter(socket => !socket.destroyed);
    for (const socket of waiting.splice(0, mostInHand - inHand.size)) {
      inHand.set(socket, setTimeout(saysNothing, silentMs, socket).unref());
      letIn?.call(http, socket);
      readPiecemeal(socket);
      socket.resume();
    }
    if (waiting.length < mostWaiting) http.maxConnections = Number.POSITIVE_INFINITY;
  };
  const saysNothing = (socket: Socket) => {
    settle(socket);
    // This is no sign that there is too much to do.
    silent.add(socket)?.resetAndDestroy();
  };
  const settle = (socket: Socket) => {
    clearTimeout(inHand.get(socket));
    silent.delete(socket);
    if (inHand.delete(socket) && waiting.length > 0 && inHand.size === mostInHand - 1) setImmediate(next);
  };
  // As with the option of `net.createServer`, which `http` does not pass on: nothing is read before `resume`.
  Object.assign(http, { pauseOnConnect: true });
  http.removeAllListeners('connection');
  http.on('connection', (socket: Socket) => {
    // It may fail while it waits.
    socket.on('error', () => undefined);
    const refused = refusedNetwork(socket);
    if (refused !== undefined) {
      blocks.add(refused);
      socket.resetAndDestroy();
      return;
    }
    socket.once('close', () => settle(socket));
    if (waiting.push(socket) === 1 && inHand.size < mostInHand) setImmediate(next);
    // Not 0, which is no limit to Node.js 20.
    if (waiting.length >= mostWaiting) http.maxConnections = 1;
  });
  for (const event of ['request', 'upgrade'])
    http.prependListener(event, ({ socket }: IncomingMessage) => settle(socket));
  http.on('drop', dropped);
}

/** Connections that say nothing, in the order in which they came, by network. */
class SilentSockets {
  readonly #networkOf: AcceptInTurnsOptions['networkOf'];
  readonly #networks = new Map<string | undefined, Set<Socket>>();
  readonly #homes = new Map<Socket, string | undefined>();

  constructor(networkOf: AcceptInTurnsOptions['networkOf']) {
    this.#networkOf = networkOf;
  }

  /** @returns the connection that is one too many, which is not here any more */
  add(socket: Socket): Socket | undefined {
    const network = this.#networkOf(socket);
    const own = this.#networks.get(network) ?? new Set();
    this.#networks.set(network, own.add(socket));
    this.#homes.set(socket, network);
    const isTooMany = network !== undefined && own.size > mostSilent.ofNetwork;
    if (!isTooMany && this.#homes.size <= mostSilent.inAll) return undefined;
    const crowded = isTooMany
      ? own
      : [...this.#networks.values()].reduce((most, each) => (each.size > most.size ? each : most));
    const [oldest] = crowded;
    if (oldest) this.delete(oldest);
    return oldest;
  }

  delete(socket: Socket): void {
    const network = this.#homes.get(socket);
    if (!this.#homes.delete(socket)) return;
    const own = this.#networks.get(network);
    own?.delete(socket);
    if (own?.size === 0) this.#networks.delete(network);
  }
}
