import type { Attack } from '../attacker.ts';
import { get, times } from '../frames.ts';

/** More than one address may have at once. */
const many = 1200;

/** Below HTTP: connections, and what is said on them slowly or only in part. */
export const tcpAttacks: Record<string, Attack> = {
  'tcp-silent': attacker => attacker.inParallel(many, wire => wire.end()),
  'tcp-half-line': attacker =>
    attacker.inParallel(many, async wire => {
      await wire.send('GET /socket.io/?EI');
      await wire.end();
    }),
  'tcp-slow-headers': attacker => attacker.drip(many, 'GET / HTTP/1.1\r\nHost: x\r\n', () => 'X-A: a\r\n'),
  'tcp-slow-body': attacker =>
    attacker.drip(many, get('/socket.io/?EIO=4&transport=polling', 'Content-Length: 60000\r\n', 'POST'), () => '4'),
  'tcp-reset': attacker =>
    attacker.inParallel(50, async wire => {
      await wire.send(get('/').slice(0, attacker.random.whole(0, get('/').length)));
      wire.reset();
    }),
  'tcp-connect-close': attacker =>
    attacker.inParallel(50, async wire => (attacker.random.next() < 0.5 ? wire.close() : wire.reset())),
  'tcp-pipelined': attacker =>
    attacker.inParallel(5, async wire => {
      wire.expectsAnswer = true;
      while (attacker.goes && (await wire.send(times(100, get('/healthz')), 100)));
    }),
  'tcp-unread': attacker =>
    attacker.inParallel(20, async wire => {
      wire.stall();
      // What is not read soon fills the buffers of both kernels, and then those of the node.
      while (attacker.goes && (await wire.send(times(20, get('/') + get('/metrics')), 40)));
    }),
};
