import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';
import { networkOf } from './network-of.ts';

export interface ClientAddressesOptions {
  /** Proxies: addresses, networks, or `loopback`, `linklocal`, `uniquelocal`. */
  trusted: string[];
  /** Keys the names. Nodes with the same secret give an address the same name, and nobody without it can find the address. */
  secret: string;
}

/**
 * Names where clients come from. A name is a keyed hash, so that no address is kept anywhere, and none can be found by
 * trying all of them. {@link networkOf} says what counts as one address.
 */
export class ClientAddresses {
  readonly #isTrusted: (address: string, hop: number) => boolean;
  readonly #secret: string;

  constructor({ trusted, secret }: ClientAddressesOptions) {
    this.#isTrusted = proxyAddr.compile(trusted);
    this.#secret = secret;
  }

  /** The name of the client's address: the first one, seen from here, that is not a trusted proxy's. */
  of(request: IncomingMessage): string {
    const address = proxyAddr(request, this.#isTrusted);
    return createHmac('sha256', this.#secret).update(networkOf(address)).digest('base64url').slice(0, 22);
  }

  /**
   * What to count a TCP connection by: the network of its peer as it is, in CIDR notation, which lies in memory as long as the connection anyway,
   * for a hash would cost as much as the rest of refusing one. Undefined if it is a trusted proxy's, which brings many clients.
   */
  peerOf({ remoteAddress }: { remoteAddress?: string | undefined }): string | undefined {
    return remoteAddress && this.#isTrusted(remoteAddress, 0) ? undefined : networkOf(remoteAddress);
  }
}
