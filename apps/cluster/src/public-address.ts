import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer, type ProxyServer } from 'httpxy';
import { networkOf } from './network-of.ts';

const mostSids = 100_000;
/** A client that has several requests under way over one connection does not wait for answers. */
const mostRequestsOfConnection = 10;
const headersWithinMs = 10_000;
const unusedForMs = 10_000;
const requestWithinMs = 60_000;
const answerWithinMs = 60_000;
const upgradeWithinMs = 10_000;
/** Longer than any answer takes: then it is the client that does not take what waits for it. */
const stalledForMs = 90_000;
/** For what a WebSocket's client has still not read when the node has closed it. */
const lastWordsWithinMs = 10_000;

/** What is for operators begins like this, as deploy/haproxy.cfg has it. Express reads paths without regard to case. */
const notPublic = /^\/(metrics|admin|status)/i;

const noNode = 'No chat node is ready at the moment. Try again in a few seconds.\n';
const notThere = 'There is nothing here. What is for operators is at the address of each node.\n';
const nodeFailed = 'The chat node did not answer. Try again.\n';

export interface Upstream {
  /** Such as `http://127.0.0.1:3001`. */
  readonly url: string;
  /** Whether it can take users now. */
  readonly ready: boolean;
}

export interface PublicAddressOptions {
  /** Most connections of an address at once; see {@link networkOf}. Default: any number. */
  readonly mostOfAddress?: number;
}

/**
 * The one address of several chat nodes: passes on HTTP and WebSocket connections, to the ready nodes in turn. A request
 * that belongs to an Engine.IO session (`?sid=`) goes to the node that opened it: that node's answer to the handshake
 * named the session in the header `passerby-sid`.
 */
export class PublicAddress {
  readonly #upstreams: readonly Upstream[];
  readonly #server: Server;
  readonly #proxy: ProxyServer;
  readonly #agent = new Agent({ keepAlive: true });
  /** Least recently used first. */
  readonly #upstreamOfSid = new Map<string, Upstream>();
  readonly #upstreamOf = new WeakMap<IncomingMessage, Upstream>();
  readonly #webSockets = new Set<Socket>();
  readonly #upgraded = new WeakSet<Socket>();
  readonly #mostOfAddress: number;
  readonly #connectionsOfAddress = new Map<string, number>();
  readonly #requestsOfConnection = new WeakMap<Socket, number>();
  #turn = 0;

  constructor(upstreams: readonly Upstream[], { mostOfAddress = Number.POSITIVE_INFINITY }: PublicAddressOptions = {}) {
    this.#upstreams = upstreams;
    this.#mostOfAddress = mostOfAddress;
    this.#proxy = createProxyServer({ proxyTimeout: answerWithinMs, upgradeTimeout: upgradeWithinMs });
    this.#proxy.on('proxyRes', (answer, request) => this.#learn(answer, request));
    this.#proxy.on('proxyReqWs', (upstreamRequest, _request, socket) => {
      upstreamRequest.once('upgrade', (_answer, upstreamSocket) => {
        this.#upgraded.add(socket);
        // The proxy passes on an orderly end alone.
        socket.once('close', () => upstreamSocket.destroy());
        upstreamSocket.once('close', () => socket.setTimeout(lastWordsWithinMs, () => socket.destroy()));
      });
    });
    this.#proxy.on('error', (_error, _request, response) => this.#refuse(response, 502, nodeFailed));
    const timeouts = {
      headersTimeout: headersWithinMs,
      keepAliveTimeout: unusedForMs,
      requestTimeout: requestWithinMs,
      connectionsCheckingInterval: 1000,
    };
    this.#server = createServer(timeouts, (request, response) => {
      if (!this.#count(request, response)) return;
      if (!isPublic(request)) {
        response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end(notThere);
        return;
      }
      const upstream = this.#prepare(request);
      if (!upstream) return this.#refuse(response, 503, noNode);
      this.#proxy.web(request, response, { target: upstream.url, agent: this.#agent }).catch(answeredAlready);
    });
    this.#server.timeout = stalledForMs;
    this.#server.on('connection', socket => this.#admit(socket));
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      // It closes by itself then; without a listener it would end us.
      socket.on('error', () => undefined);
      this.#webSockets.add(socket);
      socket.once('close', () => this.#webSockets.delete(socket));
      const upstream = this.#prepare(request);
      if (!upstream) return this.#refuse(socket, 503, noNode);
      this.#proxy.ws(request, socket, { target: upstream.url, agent: false }, head).catch(answeredAlready);
    });
  }

  /** Listens on `host`; without one, on all addresses, IPv6 and IPv4 (IPv4 alone where there is no IPv6). */
  async listen(port: number, host: string | undefined): Promise<void> {
    await once(this.#server.listen({ port, host }), 'listening');
  }

  /** Takes no new connections; those that are open stay, so that the nodes can close them in good order. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Ends what is still open. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#webSockets) socket.destroy();
    this.#agent.destroy();
  }

  /** Ends the connection at once when its address has as many as it may. */
  #admit(socket: Socket): void {
    const address = networkOf(socket.remoteAddress);
    const count = this.#connectionsOfAddress.get(address) ?? 0;
    if (count >= this.#mostOfAddress) {
      socket.destroy();
      return;
    }
    this.#connectionsOfAddress.set(address, count + 1);
    socket.once('close', () => {
      const left = (this.#connectionsOfAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#connectionsOfAddress.set(address, left);
      else this.#connectionsOfAddress.delete(address);
    });
  }

  /** Whether the connection has few enough requests under way; if not, it is ended. */
  #count({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const count = (this.#requestsOfConnection.get(socket) ?? 0) + 1;
    if (count > mostRequestsOfConnection) {
      socket.destroy();
      return false;
    }
    this.#requestsOfConnection.set(socket, count);
    response.once('close', () => {
      this.#requestsOfConnection.set(socket, (this.#requestsOfConnection.get(socket) ?? 1) - 1);
    });
    return true;
  }

  /** Chooses the node, and replaces what the client itself says about where it comes from. */
  #prepare(request: IncomingMessage): Upstream | undefined {
    const { headers, socket, url = '' } = request;
    for (const name of ['forwarded', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-port']) delete headers[name];
    headers['x-forwarded-for'] = socket.remoteAddress ?? '';
    headers['x-forwarded-proto'] = 'http';
    const upstream = this.#ofSession(new URLSearchParams(url.split('?')[1]).get('sid')) ?? this.#next();
    if (upstream) this.#upstreamOf.set(request, upstream);
    return upstream;
  }

  #ofSession(sid: string | null): Upstream | undefined {
    const upstream = sid === null ? undefined : this.#upstreamOfSid.get(sid);
    // A node that does not know the session says so, and the client opens another one: better than no answer.
    if (sid === null || !upstream?.ready) return undefined;
    this.#remember(sid, upstream);
    return upstream;
  }

  #next(): Upstream | undefined {
    const ready = this.#upstreams.filter(upstream => upstream.ready);
    this.#turn += 1;
    return ready[this.#turn % ready.length];
  }

  #learn(answer: IncomingMessage, request: IncomingMessage): void {
    const sid = answer.headers['passerby-sid'];
    const upstream = this.#upstreamOf.get(request);
    if (typeof sid === 'string' && upstream) this.#remember(sid, upstream);
  }

  #remember(sid: string, upstream: Upstream): void {
    this.#upstreamOfSid.delete(sid);
    this.#upstreamOfSid.set(sid, upstream);
    for (const [oldest] of this.#upstreamOfSid) {
      if (this.#upstreamOfSid.size <= mostSids) break;
      this.#upstreamOfSid.delete(oldest);
    }
  }

  #refuse(to: ServerResponse | Socket | undefined, status: 502 | 503, text: string): void {
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '2', connection: 'close' };
    if (to instanceof ServerResponse) {
      if (to.headersSent) to.destroy();
      else to.writeHead(status, headers).end(text);
    } else if (to && this.#upgraded.has(to)) {
      to.destroy();
    } else if (to?.writable) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      const reason = status === 502 ? 'Bad Gateway' : 'Service Unavailable';
      to.end([`HTTP/1.1 ${status} ${reason}`, ...lines, `content-length: ${text.length}`, '', text].join('\r\n'));
    }
  }
}

function isPublic({ url = '' }: IncomingMessage): boolean {
  try {
    return !notPublic.test(decodeURIComponent(url.split('?', 1)[0] ?? ''));
  } catch {
    // No node could read it either.
    return true;
  }
}

/** The event `error` of the proxy has dealt with it. */
function answeredAlready(): void {}
