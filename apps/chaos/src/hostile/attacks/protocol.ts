import { setTimeout as delay } from 'node:timers/promises';
import type { Attack, Attacker } from '../attacker.ts';
import { frame, post, times } from '../frames.ts';
import type { Wire } from '../wire.ts';
import { flood } from './web-socket.ts';

/** Between two users who are honest, and no part of the attack. */
const restMs = 500;

const event = (...args: unknown[]) => frame(`42${JSON.stringify(args)}`);

/** Two of the attacker's own who look for a partner, and find each other or somebody else, again and again. */
function pairs(work: (attacker: Attacker, one: Wire, two: Wire, sessionId: string) => Promise<void>): Attack {
  return attacker =>
    attacker.inParallel(
      2,
      async one => {
        const two = await attacker.join();
        for (const wire of [one, two]) await wire.send(event('search'));
        const [, sessionId = ''] = await one.find(/"sessionId":"([^"]+)"|"error"/);
        await work(attacker, one, two, sessionId);
        two.close();
      },
      () => attacker.join(),
    );
}

/** A chat in which one side sends this as fast as it can. */
const inChat = (make: (sessionId: string) => Buffer[], { reads = true } = {}): Attack =>
  pairs(async (attacker, one, two, sessionId) => {
    const packets = make(sessionId);
    const batch = Buffer.concat(packets);
    if (!reads) two.stall();
    while (attacker.goes && (await one.send(batch, packets.length)));
  });

const marks = (count: number) => `a${'\u0301\u0327'.repeat(count / 2)}`;
const storm = (name: string) => flood({ bytes: () => times(100, event(name)), packets: 100, places: 4, joins: true });
const longText = '\u{1F600}'.repeat(500);
const token = (userId = '', secret = '') => JSON.stringify({ resume: `${userId}.${secret}` });
const secret = (attacker: Attacker) =>
  Array.from({ length: 43 }, () => attacker.random.whole(0, 35).toString(36)).join('');

/** What this chat's own events can be used for. */
export const protocolAttacks: Record<string, Attack> = {
  'chat-messages': inChat(sessionId => Array<Buffer>(100).fill(event('message', { message: 'x', sessionId }))),
  'chat-marks-at-the-limit': inChat(() => [event('message', { message: marks(498) })]),
  'chat-marks-5000': inChat(() => [event('message', { message: marks(4998) })]),
  'chat-marks-30000': inChat(() => [event('message', marks(30_000))]),
  'chat-search': storm('search'),
  'chat-skip': storm('skip'),
  'chat-end': storm('end_chat'),
  'chat-search-and-skip': flood({
    bytes: () => times(50, Buffer.concat([event('search'), event('skip'), event('end_chat')])),
    packets: 150,
    places: 4,
    joins: true,
  }),
  'chat-typing': inChat(sessionId =>
    [true, false].flatMap(typing => Array<Buffer>(50).fill(event('typing', { sessionId, typing }))),
  ),
  'chat-received': inChat(sessionId =>
    Array<Buffer>(100).fill(event('received', { sessionId, upTo: 1, resend: true })),
  ),
  'chat-unread': inChat(() => Array<Buffer>(20).fill(event('message', longText)), { reads: false }),
  'chat-unpolled': attacker =>
    attacker.inParallel(2, async wire => {
      const sid = await attacker.handshake(wire);
      if (!sid) return;
      const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      for (const packet of ['40', '42["search"]']) await wire.ask(post(path, packet));
      const other = await attacker.join();
      await other.send(event('search'));
      const batch = times(20, event('message', longText));
      // Pongs keep its session alive, though it never asks what there is for it.
      while (attacker.goes && (await other.send(batch, 20)) && !wire.isClosed) await wire.ask(post(path, '3'));
      other.close();
    }),
  'chat-other-session': pairs(async (attacker, one, two) => {
    const message = 'This belongs to another chat';
    for (const malformed of [{}, { seq: 'x' }, { seq: -1 }]) {
      await one.send(event('message', { message, sessionId: 'of-an-earlier-chat', ...malformed }));
    }
    await one.send(event('message', { message: 'This is the end' }));
    const [shown] = await two.find(/another chat|the end/);
    if (shown === 'another chat')
      attacker.breaches.add('A message that named another session was shown to the partner.');
  }),
  'resume-made-up': attacker =>
    attacker.inParallel(
      5,
      async () => {},
      () => attacker.join(token(secret(attacker).slice(0, 20), secret(attacker))),
    ),
  'resume-foreign': async attacker => {
    // Another one each time, so that no limit of its own stands in the way.
    const elsewhere = `127.1.${attacker.random.whole(0, 255)}.${attacker.random.whole(1, 254)}`;
    const victim = await attacker.join('{"resume":true}', elsewhere);
    const [, userId, own] = await victim.find(/"token":"([\w-]+)\.([\w-]+)"/);
    // Only who has looked for somebody is there to be resumed.
    await victim.send(frame('420["search"]'));
    await victim.find(/430\[/);
    // More often than a user may resume in a minute.
    for (let n = 0; userId && n < 40 && attacker.goes; n++)
      (await attacker.join(token(userId, secret(attacker)))).close();
    victim.reset();
    const back = await attacker.join(token(userId, own), elsewhere);
    const [answer, resumed] = await back.find(/"resumed":(true|false)|"code":"TOO_MANY/);
    back.close();
    if (userId && answer && resumed !== 'true') {
      attacker.breaches.add('A user could not resume after somebody else had tried to in that name.');
    }
    await delay(restMs);
  },
};
