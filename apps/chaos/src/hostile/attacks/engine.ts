import type { Attack } from '../attacker.ts';
import { frame, post, times, webSocketUpgrade } from '../frames.ts';

const engine = '/socket.io/?EIO=4&transport=polling';
const to = (sid: string) => `${engine}&sid=${sid}`;
const poll = (sid: string) => `GET ${to(sid)} HTTP/1.1\r\nHost: x\r\n\r\n`;
const many = (count: number, packet: string) => times(count, `${packet}\x1e`).subarray(0, -1);

/** Takes a session over polling, joins it if so said, and sends one body after the other as long as it lives. */
function bodies(make: () => Buffer | string, { joins = false, places = 1 } = {}): Attack {
  let body: Buffer | string;
  return attacker =>
    attacker.inParallel(places, async () => {
      body ??= make();
      const wire = await attacker.open();
      const sid = await attacker.handshake(wire);
      if (sid && joins) await wire.ask(post(to(sid), '40'));
      while (sid && attacker.goes && !wire.isClosed) {
        await wire.ask(post(to(sid), body));
        if (await wire.until(/HTTP\/1.1 (2|4|5)/).then(found => found?.[1] !== '2')) break;
      }
      wire.close();
    });
}

/** A session over polling, with the connection that it was made on and another one. */
function sessions(work: (poll: string, post: string) => [first: string, second: string]): Attack {
  return attacker =>
    attacker.inParallel(10, async () => {
      const [one, two] = [await attacker.open(), await attacker.open()];
      const sid = await attacker.handshake(one);
      const [first, second] = work(poll(sid ?? ''), post(to(sid ?? ''), '40').toString());
      if (sid) await Promise.all([one.ask(first), two.ask(second)]);
      one.close();
      two.close();
    });
}

/** What Engine.IO makes of requests: sessions, payloads and packets. */
export const engineAttacks: Record<string, Attack> = {
  'engine-handshakes': attacker =>
    attacker.inParallel(10, async () => {
      const wire = await attacker.open();
      while (attacker.goes && (await attacker.handshake(wire)));
      wire.close();
    }),
  'engine-web-sockets': attacker =>
    attacker.inParallel(1200, async () => {
      const wire = await attacker.webSocket();
      await wire.until(/\x88/); // Until the node closes it, or the time is over.
    }),
  'engine-connects-60k': bodies(() => many(20_000, '40')),
  'engine-connects-1m': bodies(() => many(349_000, '40')),
  'engine-namespaces-1m': bodies(() => many(200_000, '40/x')),
  'engine-events-1m': bodies(() => many(170_000, '42[1]'), { joins: true }),
  'engine-empty-messages': bodies(() => many(30_000, '4'), { joins: true }),
  'engine-noops': bodies(() => many(30_000, '6'), { joins: true }),
  'engine-closes': bodies(() => many(30_000, '1')),
  'engine-probes': bodies(() => many(8000, '2probe\x1e5')),
  'engine-odd-types': bodies(() => many(20_000, '9x'), { joins: true }),
  'engine-binary': bodies(() => many(10_000, 'bAAAA'), { joins: true }),
  'engine-pongs-unpolled': bodies(() => many(100, '3'), { joins: true, places: 10 }),
  'engine-two-polls': sessions(poll => [poll, poll]),
  'engine-two-posts': sessions((_poll, post) => [post, post]),
  'engine-unknown-session': attacker =>
    attacker.inParallel(10, async () => {
      const wire = await attacker.open();
      while (attacker.goes && !wire.isClosed)
        await wire.ask(poll(attacker.random.pick(['a'.repeat(20), '__proto__', '%00'])));
    }),
  'engine-old-protocol': attacker =>
    attacker.inParallel(10, async () => {
      const wire = await attacker.open();
      while (attacker.goes && !wire.isClosed) await wire.ask(poll('x').replace('EIO=4', 'EIO=3').replace('&sid=x', ''));
    }),
  'engine-upgrade-probes': attacker =>
    attacker.inParallel(5, async () => {
      const wire = await attacker.open();
      const sid = await attacker.handshake(wire);
      const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
      for (let n = 0; sid && n < 20 && attacker.goes; n++) {
        const second = await attacker.open();
        await second.ask(webSocketUpgrade('', path));
        await second.send(frame('2probe'));
      }
      wire.close();
    }),
};
