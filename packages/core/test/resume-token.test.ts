import { newResumeToken, parseResumeToken } from '../src/chat/resume-token.ts';

describe('a resume token', () => {
  it('can be read again, and is another one each time', () => {
    const token = newResumeToken('Ab-_9');
    expect(parseResumeToken(token.text)).toEqual(token);
    expect(token.userId).toBe('Ab-_9');
    const other = newResumeToken('Ab-_9');
    expect(other.text).not.toBe(token.text);
    expect(other.hash).not.toBe(token.hash);
  });

  it('has 256 random bits, of which what is stored tells nothing', () => {
    const { text, hash } = newResumeToken('ann');
    const secret = text.slice('ann.'.length);
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
    // It goes into a field of the registry, among others.
    expect(hash).toMatch(/^[\w-]{22}$/);
    expect(secret).not.toContain(hash);
  });

  it.each([
    '',
    'ann',
    'ann.',
    `.${'x'.repeat(43)}`,
    `ann.${'x'.repeat(42)}`,
    `ann.${'x'.repeat(44)}`,
    `ann.${'x'.repeat(42)} `,
    `ann.${'x'.repeat(43)}\n`,
    `an n.${'x'.repeat(43)}`,
    `a:{b}.${'x'.repeat(43)}`,
    `${'a'.repeat(65)}.${'x'.repeat(43)}`,
    'x'.repeat(1_000_000),
  ])('is not %j', text => {
    expect(parseResumeToken(text)).toBeUndefined();
  });
});
