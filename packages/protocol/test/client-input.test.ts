import fc from 'fast-check';
import { isOptions, parseHandshake, parseMessage, parsePlace, parseReceipt, parseTyping } from '../src/client-input.ts';
import { errorTexts, maxSeq } from '../src/index.ts';

const limit = 500;

/** As it comes from a client: JSON can name a property that a literal cannot. */
const json = (text: string): unknown => JSON.parse(text);

describe('parseMessage', () => {
  it.each<[why: string, input: unknown, text: string]>([
    ['a plain string', 'hello', 'hello'],
    ['an object with message', { message: 'hello' }, 'hello'],
    ['an object with text', { text: 'hello' }, 'hello'],
    ['message before text', { text: 'no', message: 'hello' }, 'hello'],
    ['unknown fields beside it', { message: 'hello', to: 'everyone', userId: 'x' }, 'hello'],
    ['an object as its prototype beside it', json('{"message":"hello","__proto__":{"admin":true}}'), 'hello'],
    ['a text that needs cleaning', { message: ' he\u202ello\u0000 ' }, 'hello'],
    ['the longest text', 'a'.repeat(500), 'a'.repeat(500)],
  ])('takes %s', (_why, input, text) => {
    expect(parseMessage(input, limit)).toBe(text);
  });

  it.each<[why: string, input: unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['a boolean', true],
    ['an empty object', {}],
    ['an array', ['hello']],
    ['an array of messages', [{ message: 'hello' }]],
    ['a number as message', { message: 5 }],
    ['null as message', { message: null }],
    ['an array as message', { message: ['hello'] }],
    ['an object as message', { message: { message: 'hello' } }],
    ['an object that turns itself into a string', { message: { toString: () => 'hello' } }],
    ['a String object', new String('hello')],
    ['a Buffer', Buffer.from('hello')],
    ['a Buffer as message', { message: Buffer.from('hello') }],
    ['a Uint8Array', new Uint8Array(5)],
    ['a function', () => 'hello'],
    ['a message in the prototype only', json('{"__proto__":{"message":"hello"}}')],
    ['a message in the constructor only', json('{"constructor":{"prototype":{"message":"hello"}}}')],
    ['an empty text', { message: '' }],
    ['a text that cannot be seen', '\u200b'],
    ['a text that is too long', { text: 'a'.repeat(501) }],
  ])('refuses %s', (_why, input) => {
    expect(parseMessage(input, limit)).toBeUndefined();
  });

  it('reads a property once, so that it cannot be another one when it is used', () => {
    let reads = 0;
    const input = {
      get message() {
        reads++;
        return reads === 1 ? 'hello' : { evil: true };
      },
    };
    expect(parseMessage(input, limit)).toBe('hello');
    expect(reads).toBe(1);
  });

  it('answers anything at all with a text or a refusal, and changes nothing', () => {
    const prototype = Object.getOwnPropertyNames(Object.prototype);
    const key = fc.oneof(fc.constantFrom('message', 'text', '__proto__', 'constructor', 'toString'), fc.string());
    const anything = fc.anything({ key, withBigInt: true, withDate: true, withMap: true, withTypedArray: true });
    fc.assert(
      fc.property(fc.oneof(anything, fc.dictionary(key, anything)), input => {
        const text = parseMessage(input, limit);
        expect(['string', 'undefined']).toContain(typeof text);
        expect(typeof isOptions(input)).toBe('boolean');
        expect(() => parseTyping(input)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype);
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });
});

describe('isOptions', () => {
  it.each([undefined, null, {}, { language: 'en' }, json('{"__proto__":{"admin":true}}')])('takes %p', input => {
    expect(isOptions(input)).toBe(true);
  });

  it.each(['lobby', 5, true, [], ['lobby'], Buffer.from('x'), new Map()])('refuses %p', input => {
    expect(isOptions(input)).toBe(false);
  });
});

describe('parseTyping', () => {
  it('takes the session and a boolean, and nothing else', () => {
    const more = json('{"sessionId":"s","typing":false,"userId":"x","__proto__":{"admin":true}}');
    expect(parseTyping(more)).toEqual({ sessionId: 's', typing: false });
    expect(Object.keys(parseTyping(more) ?? {})).toEqual(['sessionId', 'typing']);
  });

  it.each<[why: string, input: unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a boolean', true],
    ['a text', 'typing'],
    ['an array', ['s', true]],
    ['no session', { typing: true }],
    ['no word of typing', { sessionId: 's' }],
    ['a number for it', { sessionId: 's', typing: 1 }],
    ['a text for it', { sessionId: 's', typing: 'true' }],
    ['null for it', { sessionId: 's', typing: null }],
    ['an object for it', { sessionId: 's', typing: { valueOf: () => true } }],
    ['a number as session', { sessionId: 5, typing: true }],
    ['a long session', { sessionId: 's'.repeat(65), typing: true }],
    ['a Buffer as session', { sessionId: Buffer.from('s'), typing: true }],
    ['a prototype only', json('{"__proto__":{"sessionId":"s","typing":true}}')],
  ])('refuses %s', (_why, input) => {
    expect(parseTyping(input)).toBeUndefined();
  });
});

describe('parsePlace', () => {
  it.each<[why: string, input: unknown, place: object]>([
    ['nothing', undefined, {}],
    ['a text', 'hello', {}],
    ['an object that names nothing', { message: 'hello' }, {}],
    ['a session', { message: 'hello', sessionId: 's' }, { sessionId: 's' }],
    ['a session with a number', { sessionId: 's', seq: 3, more: 1 }, { sessionId: 's', seq: 3 }],
    ['a prototype only', json('{"__proto__":{"seq":"x"}}'), {}],
  ])('takes %s', (_why, input, place) => {
    expect(parsePlace(input)).toEqual(place);
  });

  it.each<[why: string, input: unknown]>([
    ['a number without its session', { seq: 1 }],
    ['null as session', { sessionId: null }],
    ['a number as session', { sessionId: 5 }],
    ['a long session', { sessionId: 's'.repeat(65) }],
    ['an object as session', { sessionId: { toString: () => 's' } }],
    ['a list as session', { sessionId: ['s'] }],
    ['a text as number', { sessionId: 's', seq: '1' }],
    ['null as number', { sessionId: 's', seq: null }],
    ['zero', { sessionId: 's', seq: 0 }],
    ['a fraction', { sessionId: 's', seq: 1.5 }],
    ['no number at all', { sessionId: 's', seq: Number.NaN }],
    ['a list as number', { sessionId: 's', seq: [1] }],
  ])('refuses %s', (_why, input) => {
    expect(parsePlace(input)).toBeUndefined();
  });
});

describe('an object of many keys', () => {
  const parsers = {
    search: isOptions,
    message: (input: unknown) => [parseMessage(input, limit), parsePlace(input)],
    received: parseReceipt,
    typing: parseTyping,
    handshake: parseHandshake,
  };

  it.each(Object.entries(parsers))('is not walked to understand %s', (_event, parse) => {
    const asked: string[] = [];
    const input = new Proxy(
      { message: 'x', sessionId: 's', upTo: 1, typing: true, resume: true },
      {
        ownKeys(target) {
          asked.push('keys');
          return Reflect.ownKeys(target);
        },
        getOwnPropertyDescriptor(target, key) {
          asked.push('descriptor');
          return Reflect.getOwnPropertyDescriptor(target, key);
        },
        get(target, key) {
          asked.push(String(key));
          return Reflect.get(target, key);
        },
      },
    );
    expect(parse(input)).toBeTruthy();
    expect(asked).not.toContain('keys');
    expect(asked).not.toContain('descriptor');
    expect(asked.length).toBeLessThan(12);
  });
});

describe('the numbers of messages', () => {
  it('end where every number still has a next one', () => {
    expect(maxSeq).toBeLessThan(2 ** 52);
    const sessionId = 's';
    for (const [seq, isTaken] of [
      [maxSeq, true],
      [maxSeq + 1, false],
      [2 ** 53 - 1, false],
    ] as const) {
      expect(parsePlace({ seq, sessionId }) !== undefined).toBe(isTaken);
      expect(parseReceipt({ sessionId, upTo: seq }) !== undefined).toBe(isTaken);
      expect(parseReceipt({ sessionId, upTo: 1, from: seq }) !== undefined).toBe(isTaken);
    }
  });
});

describe('errorTexts', () => {
  it('keeps the two sentences that clients match on', () => {
    expect(errorTexts.INVALID_MESSAGE).toBe('Invalid message');
    expect(errorTexts.TOO_MANY_MESSAGES).toBe('Too many messages sent');
  });

  it('has a sentence for every code', () => {
    for (const text of Object.values(errorTexts)) expect(text).toMatch(/^[A-Z][^.]+$/);
  });
});
