import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ClientAddresses } from '../src/client-address.ts';

/** A request over a connection from an address, with what a header claims. */
function request(remoteAddress: string | undefined, forwardedFor?: string): IncomingMessage {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

const secret = 'known to the nodes alone';
const namer = (...trusted: string[]) => {
  const addresses = new ClientAddresses({ trusted, secret });
  return (from: IncomingMessage) => addresses.of(from);
};
const direct = namer();
const name = (address: string) => direct(request(address));
const ann = '203.0.113.7';

describe('ClientAddresses', () => {
  it('names an address without showing it', () => {
    expect(name(ann)).toMatch(/^[\w-]{22}$/);
    expect(name(ann)).toBe(name(ann));
    expect(name(ann)).not.toBe(name('203.0.113.8'));
    expect(name(ann)).not.toContain(Buffer.from(ann).toString('base64url').slice(0, 8));
  });

  it('believes nobody who claims another address, unless told to', () => {
    expect(direct(request(ann, '198.51.100.1'))).toBe(name(ann));
    const behindProxy = namer('10.0.0.0/8');
    expect(behindProxy(request(ann, '198.51.100.1'))).toBe(name(ann));
  });

  it.each([
    ['one proxy', '10.0.0.1', ann],
    ['two proxies', '10.0.0.1', `${ann}, 10.9.9.9`],
    ['what the client itself claimed before them', '10.0.0.1', `198.51.100.1, ${ann}, 10.9.9.9`],
    ['a claim to be a trusted proxy', '10.0.0.1', `10.0.0.2, ${ann}`],
    ['a proxy on this machine', '127.0.0.1', ann],
    ['a proxy whose IPv4 address came as IPv6', '::ffff:10.0.0.1', ann],
    ['a claim that is not an address', '10.0.0.1', `nonsense, ${ann}`],
  ])('finds the first address that is not trusted: %s', (_what, remote, forwardedFor) => {
    expect(namer('10.0.0.0/8', 'loopback')(request(remote, forwardedFor))).toBe(name(ann));
  });

  it('names the proxy when it tells no address', () => {
    expect(namer('10.0.0.0/8')(request('10.0.0.1'))).toBe(name('10.0.0.1'));
  });

  it('takes an IPv6 network of 64 bits for one address', () => {
    expect(name('2001:db8:1:2::1')).toBe(name('2001:0DB8:0001:0002:ffff:ffff:ffff:ffff'));
    expect(name('2001:db8:1:2::1')).not.toBe(name('2001:db8:1:3::1'));
    expect(name('fe80::1%eth0')).toBe(name('fe80::2'));
  });

  it('takes an IPv4 address for the same when it came over IPv6', () => {
    expect(name(`::ffff:${ann}`)).toBe(name(ann));
    expect(name(`::ffff:${ann}`)).not.toBe(name('::ffff:203.0.113.8'));
  });

  it('tells IPv4 addresses apart that come through a NAT64, all in one network of 64 bits', () => {
    expect(name('64:ff9b::c000:201')).toBe(name('64:FF9B:0::C000:201'));
    expect(name('64:ff9b::c000:201')).not.toBe(name('64:ff9b::c000:202'));
  });

  it('names an address differently for those who have another secret, and not by its plain hash', () => {
    const elsewhere = new ClientAddresses({ trusted: [], secret: 'another secret' }).of(request(ann));
    expect(elsewhere).not.toBe(name(ann));
    expect(createHash('sha256').update(ann).digest('base64url')).not.toContain(name(ann));
  });

  it('tells the network of the peer of a connection, unless it is a trusted proxy', () => {
    const addresses = new ClientAddresses({ trusted: ['10.0.0.0/8'], secret });
    expect(addresses.peerOf({ remoteAddress: `::ffff:${ann}` })).toBe(`${ann}/32`);
    expect(addresses.peerOf({ remoteAddress: '2001:db8:1:a::1' })).toBe('2001:db8:1:a::/64');
    expect(addresses.peerOf({ remoteAddress: '::ffff:10.0.0.1' })).toBeUndefined();
  });

  it('has one name for all that has no address', () => {
    const closed = direct(request(undefined));
    expect(closed).toBe(direct(request('nonsense')));
    expect(closed).not.toBe(name(ann));
  });
});
