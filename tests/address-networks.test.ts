import { networkOf } from '../apps/chat-node/src/network-of.ts';
import { networkOf as networkOfCluster } from '../apps/cluster/src/network-of.ts';

// tests/balancer tries deploy/haproxy.cfg with the like.
it.each([
  ['192.0.2.1', '192.0.2.1/32'],
  ['::ffff:192.0.2.1', '192.0.2.1/32'],
  ['::FFFF:c000:0201', '192.0.2.1/32'],
  ['2001:db8:1:a::1', '2001:db8:1:a::/64'],
  ['2001:0DB8:1:A:ffff:ffff:ffff:ffff', '2001:db8:1:a::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::c000:201', '64:ff9b::c000:201/128'],
  ['64:FF9B:0:0:0:0:c000:0202', '64:ff9b::c000:202/128'],
  ['64:ff9b:1::c000:201', '64:ff9b:1:0::/64'],
  ['', 'unknown'],
  ['nonsense', 'unknown'],
  [undefined, 'unknown'],
])('a node and the cluster before it count %p as %p', (address, network) => {
  expect([networkOf(address), networkOfCluster(address)]).toEqual([network, network]);
});
