import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, errorTexts } from '@passerby/protocol';
import type { ClientAddresses } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { OpenConnections } from './open-connections.ts';
import type { Overload } from './overload.ts';
import type { RateLimits } from './rate-limits.ts';

export const socketPath = '/socket.io/';

/** Socket.IO serves its client here, to pages of any origin. */
const clientScript = /^\/socket\.io\/socket\.io[.\w]*\.js(\.map)?(\?|$)/;
/** What these answer costs about as much as so many ordinary requests. */
const dearWeight = 20;
const dear = /^\/(metrics|admin|socket\.io\/socket\.io)/i;
/** How long a node that stops is to be left alone, in ms: another one answers by then. */
const stoppingMs = 1000;
/** When an address that has all the connections it may have should try again, in ms. */
const untilOneClosesMs = 10_000;
const stopping = 'This node is being stopped. Connect again.';
const notAllowed = 'This web origin is not allowed. See ALLOWED_ORIGINS in .env.example.';

/** Why a request is not let in. It is answered with this, and its connection is closed. */
export interface Refusal {
  status: 400 | 403 | 429 | 503;
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
   * Whether a TCP connection is let in. Over polling, an Engine.IO connection takes two at a time, and a browser opens a few
   * more for the page. Those of trusted proxies are not counted.
   */
  admits(socket: Socket): boolean {
    const { addresses, limits, metrics } = this.#options;
    const peer = addresses.peerOf(socket);
    if (peer === undefined) return true;
    if (this.#peers.of(peer) >= 2 * limits.open || limits.tcp(peer) > 0) {
      metrics.refused('tcp');
      return false;
    }
    this.#peers.add(peer);
    socket.once('close', () => this.#peers.remove(peer));
    return true;
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

  /** Why a request, also one to upgrade, is not let in; undefined if it is. */
  refusal(request: IncomingMessage): Refusal | undefined {
    const { addresses, limits, isAllowedOrigin } = this.#options;
    const { url = '' } = request;
    const address = addresses.of(request);
    const waitMs = limits.http(address, dear.test(url) ? dearWeight : 1);
    if (waitMs > 0) return this.#refused('http', tooMany('TOO_MANY_REQUESTS', waitMs));
    if (!url.startsWith(socketPath) || clientScript.test(url)) return undefined;
    // Engine.IO takes what it finds here: what was looked at is what is used.
    const query = Object.fromEntries(new URL(url, 'http://node').searchParams);
    Object.assign(request, { _query: query });
    if (query.j !== undefined) return this.#refused('jsonp', { status: 400, message: 'JSONP is not supported.' });
    if (!isAllowedOrigin(request)) return this.#refused('origin', { status: 403, message: notAllowed });
    return query.sid ? undefined : this.#handshakeRefusal(address, query.resume === '1');
  }

  /** @param comesBack as the client says; whether that is true shows later */
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
    return { status: 503, code: 'UNAVAILABLE', message: errorTexts.UNAVAILABLE, retryAfterMs };
  }

  #refused(reason: string, refusal: Refusal): Refusal {
    this.#options.metrics.refused(reason);
    return refusal;
  }
}

function tooMany(code: ErrorCode, retryAfterMs: number): Refusal {
  return { status: 429, code, message: errorTexts[code], retryAfterMs };
}
