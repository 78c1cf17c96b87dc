import { setTimeout as delay } from 'node:timers/promises';
import type { Attack } from '../attacker.ts';
import { times } from '../frames.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const many = 1200;

/** Below HTTP: connections, and what is said on them slowly or only in part. */
export const tcpAttacks: Record<string, Attack> = {
  'tcp-silent': attacker => attacker.hold(many, async () => {}),
  'tcp-half-line': attacker =>
    attacker.inParallel(many, async () => {
      const wire = await attacker.open();
      await wire.send('GET /socket.io/?EI');
      await wire.until(/408/);
    }),
  'tcp-slow-headers': attacker => {
    const begun = new WeakSet<object>();
    return attacker.hold(many, wire => {
      const line = begun.has(wire) ? `X-${attacker.random.whole(0, 9)}: a\r\n` : 'GET / HTTP/1.1\r\nHost: x\r\n';
      begun.add(wire);
      return wire.send(line);
    });
  },
  'tcp-slow-body': attacker => {
    const begun = new WeakSet<object>();
    const head = 'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n';
    return attacker.hold(many, wire => {
      const part = begun.has(wire) ? '4' : head;
      begun.add(wire);
      return wire.send(part);
    });
  },
  'tcp-reset': attacker =>
    attacker.inParallel(50, async () => {
      const wire = await attacker.open();
      await wire.send(get('/').slice(0, attacker.random.whole(0, get('/').length)));
      wire.reset();
    }),
  'tcp-connect-close': attacker =>
    attacker.inParallel(50, async () => {
      const wire = await attacker.open();
      if (attacker.random.next() < 0.5) wire.close();
      else wire.reset();
    }),
  'tcp-pipelined': attacker =>
    attacker.inParallel(5, async () => {
      const wire = await attacker.open();
      wire.expectsAnswer = true;
      while (attacker.goes && (await wire.send(times(100, get('/healthz')), 100)));
    }),
  'tcp-unread': attacker =>
    attacker.inParallel(20, async () => {
      const wire = await attacker.open();
      wire.stall();
      // What is not read soon fills the buffers of both kernels, and then those of the node.
      while (
        attacker.goes &&
        (await wire.send(times(20, get('/') + get('/metrics')), 40)) &&
        (await delay(5)) !== null
      );
    }),
};
