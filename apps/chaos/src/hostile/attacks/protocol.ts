import type { Attack, Attacker } from '../attacker.ts';
import { frame, times } from '../frames.ts';
import type { Wire } from '../wire.ts';
import { flood } from './web-socket.ts';

const event = (...args: unknown[]) => frame(`42${JSON.stringify(args)}`);

/** Two of the attacker's own, who are in a chat, if they find each other or somebody else. */
async function pair(attacker: Attacker): Promise<[Wire, Wire, sessionId: string]> {
  const [one, two] = [await attacker.join(), await attacker.join()];
  for (const wire of [one, two]) await wire.send(event('search'));
  const [, sessionId = ''] = (await one.until(/"sessionId":"([^"]+)"|"error"/)) ?? [];
  return [one, two, sessionId];
}

/** A chat in which one side sends this as fast as it can. */
function inChat(make: (sessionId: string) => Buffer[], { partner }: { partner?: (wire: Wire) => void } = {}): Attack {
  return attacker =>
    attacker.inParallel(2, async () => {
      const [one, two, sessionId] = await pair(attacker);
      partner?.(two);
      const packets = make(sessionId);
      const batch = Buffer.concat(packets);
      while (attacker.goes && (await one.send(batch, packets.length)));
      one.close();
      two.close();
    });
}

const marks = (count: number) => `a${'\u0301\u0327'.repeat(count / 2)}`;
const storm = (name: string) => flood({ bytes: () => times(100, event(name)), packets: 100, places: 4, joins: true });
const secret = (attacker: Attacker) =>
  Array.from({ length: 43 }, () => attacker.random.whole(0, 35).toString(36)).join('');
const resumeToken = /"token":"([\w-]+)\.([\w-]+)"/;

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
  'chat-unread': inChat(() => Array<Buffer>(20).fill(event('message', '\u{1F600}'.repeat(500))), {
    partner: wire => wire.stall(),
  }),
  'chat-unpolled': attacker =>
    attacker.inParallel(2, async () => {
      const wire = await attacker.open();
      const sid = await attacker.handshake(wire);
      const post = (body: string) =>
        `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      if (!sid) return wire.close();
      await wire.ask(post('40'));
      await wire.ask(post('42["search"]'));
      const other = await attacker.join();
      await other.send(event('search'));
      const batch = times(20, event('message', '\u{1F600}'.repeat(500)));
      // Pongs keep its session alive, though it never asks what there is for it.
      while (attacker.goes && (await other.send(batch, 20)) && !wire.isClosed) await wire.ask(post('3'));
      wire.close();
      other.close();
    }),
  'chat-other-session': attacker =>
    attacker.inParallel(2, async () => {
      const [one, two] = await pair(attacker);
      const message = 'This belongs to another chat';
      for (const malformed of [{}, { seq: 'x' }, { seq: -1 }]) {
        await one.send(event('message', { message, sessionId: 'of-an-earlier-chat', ...malformed }));
      }
      await one.send(frame('42["message",{"message":"end"}]'));
      const [shown] = (await two.until(/another chat|"end"/)) ?? [''];
      if (shown === 'another chat') attacker.breach('A message that named another session was shown to the partner.');
      one.close();
      two.close();
    }),
  'resume-made-up': attacker =>
    attacker.inParallel(5, async () => {
      const id = secret(attacker).slice(0, 20);
      const wire = await attacker.join(JSON.stringify({ resume: `${id}.${secret(attacker)}` }));
      wire.close();
    }),
  'resume-foreign': async attacker => {
    const elsewhere = '127.0.99.99';
    const victim = await attacker.join('{"resume":true}', elsewhere);
    const [, userId, own] = (await victim.until(resumeToken)) ?? [];
    if (!userId) return victim.close();
    for (let n = 0; n < 40 && attacker.goes; n++) {
      const wire = await attacker.join(JSON.stringify({ resume: `${userId}.${secret(attacker)}` }));
      wire.close();
    }
    victim.reset();
    const back = await attacker.join(JSON.stringify({ resume: `${userId}.${own}` }), elsewhere);
    const answer = await back.until(/"resumed":(true|false)|"code":"TOO_MANY/);
    if (answer && answer[1] !== 'true') {
      attacker.breach('A user could not resume after somebody else had tried to in that name.');
    }
    back.close();
  },
};
