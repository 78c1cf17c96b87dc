import { type BlockList, createServer, type Server } from 'node:net';
import { BriefBlocks } from '../src/brief-blocks.ts';

describe('networks that were just refused a connection', () => {
  let server: Server & { blockList?: BlockList };
  let blocks: BriefBlocks;
  const isBlocked = (address: string) =>
    server.blockList?.check(address, address.includes(':') ? 'ipv6' : 'ipv4') ?? false;

  beforeEach(() => {
    jest.useFakeTimers();
    server = createServer();
    blocks = new BriefBlocks(server);
  });

  afterEach(() => jest.useRealTimers());

  it('are blocked for a moment, and nobody else', () => {
    blocks.add('203.0.113.7/32');
    blocks.add('2001:db8:1:a::/64');
    expect(isBlocked('203.0.113.7')).toBe(true);
    expect(isBlocked('::ffff:203.0.113.7')).toBe(true);
    expect(isBlocked('2001:db8:1:a::9')).toBe(true);
    expect(isBlocked('203.0.113.8')).toBe(false);
    expect(isBlocked('2001:db8:1:b::9')).toBe(false);
    jest.advanceTimersByTime(100);
    expect(isBlocked('203.0.113.7')).toBe(false);
    blocks.add('203.0.113.7/32');
    expect(isBlocked('203.0.113.7')).toBe(true);
  });

  it('are few at a time', () => {
    for (let last = 0; last < 200; last++) blocks.add(`203.0.113.${last}/32`);
    expect(server.blockList?.rules).toHaveLength(64);
  });

  it('are not those whose address is not known', () => {
    blocks.add('unknown');
    expect(server.blockList).toBeUndefined();
  });
});
