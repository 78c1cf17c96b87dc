import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import {
  type Ack,
  type ClientEvents,
  errorTexts,
  maxSeq,
  parseCommand,
  parseHandshake,
  type ServerEvents,
  type StateReply,
} from '../src/index.ts';

interface Node {
  [key: string]: Node;
}

const document = parse(readFileSync('docs/asyncapi.yaml', 'utf8')) as Node;
const sources = readFileSync('packages/protocol/src/events.ts', 'utf8');
const open = new Ajv({ strict: false }).addSchema(document, 'open');
const closed = new Ajv({ strict: false }).addSchema(close(document) as Node, 'closed');

/** A copy in which no object may have a property that the document does not name. */
function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, close(value)]));
  return 'properties' in copy ? { ...copy, additionalProperties: false } : copy;
}

const takes = (event: string) => (input: unknown) => parseCommand(event, input, 500).kind !== 'refused';

function resolve(node: Node | undefined): [at: string, node: Node] {
  let at = '';
  let found = node ?? {};
  while ('$ref' in found) {
    at = String(found.$ref);
    found = at
      .split('/')
      .slice(1)
      .reduce((parent, key) => parent[key] ?? {}, document);
  }
  return [at, found];
}

/** The messages of the events in one direction, by the name of the event, and where they are in the document. */
function events(action: 'receive' | 'send'): Map<string, string> {
  const found = new Map<string, string>();
  for (const operation of Object.values(document.operations ?? {})) {
    if (String(operation.action) !== action || String(operation.channel?.$ref) !== '#/channels/chat') continue;
    for (const reference of Object.values(operation.messages ?? {})) {
      const [at, message] = resolve(reference);
      found.set(String(message.name), at);
    }
  }
  return found;
}

/** The names of an interface's members, as the sources have them: at run time there are no types. */
function membersOf(name: string): string[] {
  const [, body = ''] = sources.match(new RegExp(`^export interface ${name} \\{$(.*?)^\\}$`, 'ms')) ?? [];
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member = '']) => member);
}

function accepts(at: string | undefined, value: unknown, ajv = open): boolean {
  return ajv.validate({ $ref: `${ajv === open ? 'open' : 'closed'}${at}` }, value);
}

describe('docs/asyncapi.yaml', () => {
  it('has only references that lead somewhere, and messages that the channel has', () => {
    const references: string[] = [];
    JSON.stringify(document, (key, value) => {
      if (key === '$ref') references.push(value);
      return value;
    });
    expect(references.filter(at => Object.keys(resolve({ $ref: at } as unknown as Node)[1]).length === 0)).toEqual([]);
    const inChannels = references.filter(at => at.startsWith('#/channels/') && at.includes('/messages/'));
    const used = new Set(inChannels.map(at => resolve({ $ref: at } as unknown as Node)[0]));
    expect([...used].sort()).toEqual(
      Object.keys(document.components?.messages ?? {})
        .map(name => `#/components/messages/${name}`)
        .sort(),
    );
  });

  it('names exactly the events that there are', () => {
    expect(membersOf('ClientEvents')).toContain('end_chat');
    expect([...events('receive').keys()].sort()).toEqual(membersOf('ClientEvents').sort());
    expect([...events('send').keys()].sort()).toEqual(membersOf('ServerEvents').sort());
  });

  it('names exactly the error codes that there are, with their texts', () => {
    const codes = Object.values(document.components?.schemas?.ErrorCode?.oneOf ?? {});
    expect(Object.fromEntries(codes.map(({ const: code, title }) => [code, title]))).toEqual(errorTexts);
  });

  it('names exactly the reasons for which a session ends', () => {
    const [, reasons = ''] = sources.match(/^export type EndReason = (.*);$/m) ?? [];
    const named = document.components?.schemas?.PartnerLeft?.properties?.reason?.enum;
    expect(named).toEqual(reasons.split(' | ').map(reason => reason.slice(1, -1)));
  });

  const sessionId = 'a session';
  const numbered = { message: 'hello', seq: 1, sessionId };
  const cases: [event: keyof ClientEvents | 'handshake', understood: (input: unknown) => boolean, inputs: unknown[]][] =
    [
      ['search', takes('search'), [null, {}, { any: 'thing' }, [], 'x', 1, true]],
      [
        'message',
        takes('message'),
        [
          ...['hello', '', ' \n', 'x'.repeat(500), 'x'.repeat(501), '😀'.repeat(500), '😀'.repeat(501)],
          ...[numbered, { message: 'hello', seq: 1 }, { ...numbered, seq: 0 }, { ...numbered, seq: 1.5 }],
          ...[
            { ...numbered, sessionId: 'x'.repeat(65) },
            { ...numbered, seq: maxSeq },
            { ...numbered, seq: maxSeq + 1 },
            { ...numbered, seq: '1' },
          ],
          ...[
            { message: 'hello', sessionId },
            { text: 'hello', sessionId: 1 },
            { text: 'hello', seq: 1 },
          ],
          ...[
            { message: 'hello', sessionId: 'x'.repeat(65) },
            { message: 'hello', sessionId: null },
          ],
          ...[{ text: 'hello', from: 'me' }, { text: '' }, { message: 1 }, {}, null, 1, ['hello']],
        ],
      ],
      ['skip', takes('skip'), [null, 's', [], {}, { sessionId }, { sessionId: 1 }, { any: 'thing' }]],
      ['end_chat', takes('end_chat'), [null, 's', [], {}, { sessionId }, { sessionId: null }]],
      [
        'received',
        takes('received'),
        [
          ...[
            { sessionId, upTo: 0 },
            { sessionId, upTo: 7, resend: true },
            { sessionId, upTo: 7, more: 1 },
          ],
          ...[{ sessionId, upTo: -1 }, { sessionId, upTo: 0.5 }, { sessionId, upTo: 1, resend: 1 }, { upTo: 1 }],
          ...[{ sessionId: 'x'.repeat(65), upTo: 1 }, { sessionId, upTo: 1, from: 0 }, { sessionId }, null, 'x'],
          ...[maxSeq, maxSeq + 1].flatMap(seq => [
            { sessionId, upTo: seq },
            { sessionId, upTo: 1, from: seq },
          ]),
        ],
      ],
      [
        'typing',
        takes('typing'),
        [{ sessionId, typing: true }, { sessionId, typing: 1 }, { typing: true }, { sessionId }, null, [], 'x'],
      ],
      [
        'handshake',
        auth => !Object.hasOwn(Object(auth), 'resume') || parseHandshake(auth).resume !== undefined,
        [{}, { resume: true }, { resume: 'x'.repeat(200) }, { resume: 'x'.repeat(201) }, { resume: false }],
      ],
    ];

  it.each(cases)('accepts as %s what the node understands, and nothing else', (event, understood, inputs) => {
    const at = event === 'handshake' ? '#/components/messages/handshake' : events('receive').get(event);
    const answers = inputs.map(input => [input, accepts(`${at}/payload`, input)]);
    expect(answers).toEqual(inputs.map(input => [input, understood(input)]));
    expect(new Set(answers.map(([, answer]) => answer)).size).toBe(2);
  });

  // With every property, also those that may be left out: the compiler asks for them, and the document must know them.
  const session = { sessionId, startedAt: 1 };
  const told: { [Name in keyof ServerEvents]: Required<Parameters<ServerEvents[Name]>[0]> } = {
    matched: session,
    message: { id: 'a', message: 'hello', at: 1, sessionId, seq: 1 },
    partner_left: { sessionId, reason: 'skip' },
    error: 'Invalid message',
    announcement: { message: 'hello', at: 1 },
    welcome: { token: 'a', resumed: true, graceMs: 1, state: 'paired', session: { ...session, partnerAway: false } },
    partner_away: { sessionId, graceMs: 1 },
    partner_back: { sessionId },
    delivered: { sessionId, upTo: 1, resend: true, from: 1 },
    missed: { sessionId },
    partner_typing: { sessionId, typing: true },
    lobby: { online: 1, waitMs: null },
  };
  const details: Required<Parameters<ServerEvents['error']>[1]> = { code: 'INVALID_MESSAGE', retryAfterMs: 1 };

  it.each(Object.entries(told))('knows all of %s', (event, payload) => {
    const at = `${events('send').get(event)}/payload`;
    expect(accepts(at, event === 'error' ? [payload, details] : payload, closed)).toBe(true);
    for (const key of Object.keys(Object(payload))) expect(accepts(at, { ...Object(payload), [key]: {} })).toBe(false);
  });

  it('knows all of the replies', () => {
    const failure: Ack<object> = { ok: false, error: { code: 'UNAVAILABLE', message: 'a', retryAfterMs: 1 } };
    const state: Ack<StateReply> = { ok: true, state: 'paired', sessionId };
    const sent: Ack<{ id: string; at: number }> = { ok: true, id: 'a', at: 1 };
    for (const [name, reply] of Object.entries({ stateReply: state, messageReply: sent, emptyReply: { ok: true } })) {
      const at = `#/components/messages/${name}/payload`;
      expect([reply, failure, { ok: false }].map(each => accepts(at, each, closed))).toEqual([true, true, false]);
    }
  });
});
