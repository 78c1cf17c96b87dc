import ipaddr from 'ipaddr.js';

// The same file is in apps/chat-node and apps/cluster: neither may import the other, and no package that both use has to do with
// addresses. A test compares them.

/**
 * What counts as one address, in CIDR notation: an IPv4 address, also inside of an IPv6 one (`::ffff:0:0/96`), or an IPv6 network
 * of 64 bits, as one visitor owns all of it. Except behind a NAT64 (`64:ff9b::/96`), whose one network holds all of IPv4.
 */
export function networkOf(address: string | undefined): string {
  if (!address || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return `${parsed}/32`;
  if (parsed.range() === 'rfc6052') return `${parsed}/128`;
  return `${parsed.parts
    .slice(0, 4)
    .map(part => part.toString(16))
    .join(':')}::/64`;
}
