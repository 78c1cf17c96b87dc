import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';

/**
 * Makes a function that names where a request comes from: the address of the client, or the first one that is not a
 * trusted proxy's. The name is a hash, so that no address is kept anywhere. An IPv6 network of 64 bits counts as one
 * address, for one visitor owns all of it.
 * @param trusted addresses, networks, or `loopback`, `linklocal`, `uniquelocal`
 */
export function clientAddress(trusted: string[]): (request: IncomingMessage) => string {
  const isTrusted = proxyAddr.compile(trusted);
  return request => {
    const address = proxyAddr(request, isTrusted);
    return createHash('sha256').update(network(address)).digest('base64url').slice(0, 22);
  };
}

function network(address: string | undefined): string {
  if (!address || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv6' ? (parsed as ipaddr.IPv6).parts.slice(0, 4).join(':') : parsed.toString();
}
