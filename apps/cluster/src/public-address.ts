import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer, type ProxyServer } from 'httpxy';

const mostSids = 100_000;
const answerWithinMs = 60_000;
const upgradeWithinMs = 10_000;

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
  #turn = 0;

  constructor(upstreams: readonly Upstream[]) {
    this.#upstreams = upstreams;
    this.#proxy = createProxyServer({ proxyTimeout: answerWithinMs, upgradeTimeout: upgradeWithinMs });
    this.#proxy.on('proxyRes', (answer, request) => this.#learn(answer, request));
    this.#proxy.on('proxyReqWs', (upstreamRequest, _request, socket) => {
      upstreamRequest.once('upgrade', () => this.#upgraded.add(socket));
    });
    this.#proxy.on('error', (_error, _request, response) => this.#refuse(response, 502, nodeFailed));
    this.#server = createServer((request, response) => {
      if (!isPublic(request)) {
        response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end(notThere);
        return;
      }
      const upstream = this.#prepare(request);
      if (!upstream) return this.#refuse(response, 503, noNode);
      this.#proxy.web(request, response, { target: upstream.url, agent: this.#agent }).catch(answeredAlready);
    });
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
