import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, errorTexts } from '@passerby/protocol';
import type { ClientAddresses } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { OpenConnections } from './open-connections.ts';
import type { Overload } from './overload.ts';
import type { RateLimits } from './rate-limits.ts';

export const socketPath = '/socket.io/';

/** Socket.IO serves its client here, to pages of any origin; a WebSocket that is asked for here is another matter. */
const clientScript = /^\/socket\.io\/socket\.io(\.msgpack|\.esm)?(\.min)?\.js(\.map)?$/;
/** What these answer costs about as much as so many ordinary requests. */
const dearWeight = 20;
/** Longer ones are not read to the end. */
const maxBodyBytes = 64 * 1024;
const dear = /^\/(metrics|admin|socket\.io\/socket\.io)/i;
/** How long a node that stops is to be left alone, in ms: another one answers by then. */
const stoppingMs = 1000;
/** When an address that has all the connections it may have should try again, in ms. */
const untilOneClosesMs = 10_000;
const notRead = 'The address of this request cannot be read.';
const stopping = 'This node is being stopped. Connect again.';
const notAllowed = 'This web origin is not allowed. See ALLOWED_ORIGINS in .env.example.';

/** Why a request is not let in. It is answered with this, and its connection is closed. */
export interface Refusal {
  status: 400 | 403 | 404 | 429 | 503;
  message: string;
  code?: ErrorCode;
  retryAfterMs?: number;
}

export interface AdmissionOptions {
  addresses: ClientAddresses;
  limits: RateLimits;
  open: OpenConnections;
  overload: Pick<Overload, 'ask' | 'dropped'>;
  metrics: Pick<Metrics, 'refused'>;
  /** Whether the page that sends a request may use this server. */
  isAllowedOrigin: (request: IncomingMessage) => boolean;
  /** Whether new connections are taken. Those that are refused try again by themselves, perhaps elsewhere. */
  isOpen: () => boolean;
}

/** What every TCP connection and every request passes before anything is made for it. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #peers = new OpenConnections();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * The network of a TCP connection that is not let in, in CIDR notation; undefined for one that is. Over polling, an Engine.IO
   * connection takes two at a time, and a browser opens a few more for the page. Those of trusted proxies are not counted.
   */
  refusedNetwork(socket: Socket): string | undefined {
    const { addresses, limits, metrics } = this.#options;
    const peer = addresses.peerOf(socket);
    if (peer === undefined) return undefined;
    if (this.#peers.of(peer) >= 2 * limits.open || limits.tcp(peer) > 0) {
      metrics.refused('tcp');
      return peer;
    }
    this.#peers.add(peer);
    socket.once('close', () => this.#peers.remove(peer));
    return undefined;
  }

  /** The network of a TCP connection, in CIDR notation; undefined for a trusted proxy, which brings many clients. */
  networkOf(socket: Socket): string | undefined {
    return this.#options.addresses.peerOf(socket);
  }

  /** A TCP connection was hung up on, as more came than can be let in. */
  hungUp(): void {
    this.#options.overload.dropped();
  }

  /** A request came before the one before it on its connection was answered. It has cost its reading: that is counted. */
  pipelined(socket: Socket): void {
    const { addresses, limits, metrics } = this.#options;
    metrics.refused('pipelined');
    const peer = addresses.peerOf(socket);
    if (peer !== undefined) limits.tcp(peer);
  }

  /** The origin of the page that sends a request, if it may know what the answer is. */
  allowedOriginOf(request: IncomingMessage): string | undefined {
    return this.#options.isAllowedOrigin(request) ? request.headers.origin : undefined;
  }

  /** Why a request is not let in; undefined if it is. */
  refusal(request: IncomingMessage, { isUpgrade = false } = {}): Refusal | undefined {
    const { addresses, limits, isAllowedOrigin } = this.#options;
    const address = addresses.of(request);
    const url = pathOf(request);
    const waitMs = limits.http(address, this.#weightOf(request, url?.pathname ?? ''));
    if (waitMs > 0) return this.#refused('http', tooMany('TOO_MANY_REQUESTS', waitMs));
    if (!url) return this.#refused('url', { status: 400, message: notRead });
    if (!url.pathname.startsWith(socketPath)) {
      return isUpgrade ? this.#refused('url', { status: 404, message: 'There is nothing here.' }) : undefined;
    }
    if (!isUpgrade && clientScript.test(url.pathname)) return undefined;
    const { searchParams } = url;
    const query = Object.fromEntries(searchParams);
    // What is named twice is read in two ways, by the node and by a balancer before it.
    if (searchParams.size !== Object.keys(query).length || query.sid === '') {
      return this.#refused('url', { status: 400, message: notRead });
    }
    // Engine.IO takes what it finds here: what was looked at is what is used.
    Object.assign(request, { _query: query });
    if (query.j !== undefined) return this.#refused('jsonp', { status: 400, message: 'JSONP is not supported.' });
    if (!isAllowedOrigin(request)) return this.#refused('origin', { status: 403, message: notAllowed });
    // A browser asks whether it may ask.
    if (query.sid || request.method === 'OPTIONS') return undefined;
    return this.#handshakeRefusal(address, query.resume === '1');
  }

  /** As how many requests one counts. The body of a POST is taken apart before anybody sees its packets. */
  #weightOf({ method, headers }: IncomingMessage, path: string): number {
    if (dear.test(path)) return dearWeight;
    if (method !== 'POST') return 1;
    const { unitBytes } = this.#options.limits.packets;
    const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : maxBodyBytes;
    return 1 + Math.floor(Math.min(bytes, maxBodyBytes) / unitBytes);
  }

  /** @param comesBack as the client says; one that then shows no token is refused */
  #handshakeRefusal(address: string, comesBack: boolean): Refusal | undefined {
    const { limits, open, overload, isOpen } = this.#options;
    if (!isOpen()) return this.#refused('stopping', { status: 503, message: stopping, retryAfterMs: stoppingMs });
    const waitMs = limits.handshake(address);
    if (waitMs > 0) return this.#refused('handshakes', tooMany('TOO_MANY_CONNECTIONS', waitMs));
    if (open.of(address) >= limits.open) {
      return this.#refused('open', tooMany('TOO_MANY_CONNECTIONS', untilOneClosesMs));
    }
    const retryAfterMs = overload.ask(comesBack ? 'return' : 'connection');
    if (retryAfterMs === 0) return undefined;
    return { status: 503, code: 'BUSY', message: errorTexts.BUSY, retryAfterMs };
  }

  #refused(reason: string, refusal: Refusal): Refusal {
    this.#options.metrics.refused(reason);
    return refusal;
  }
}

/**
 * Where a request goes, in the form that servers are asked in; undefined for any other. Engine.IO takes an address as it is
 * written, and others after it is tidied up: here it has to be tidy.
 */
function pathOf({ url = '' }: IncomingMessage): URL | undefined {
  if (!url.startsWith('/') || url.startsWith('//') || !URL.canParse(url, 'http://node')) return undefined;
  const parsed = new URL(url, 'http://node');
  return url.split('?', 1)[0] === parsed.pathname ? parsed : undefined;
}

function tooMany(code: ErrorCode, retryAfterMs: number): Refusal {
  return { status: 429, code, message: errorTexts[code], retryAfterMs };
}
