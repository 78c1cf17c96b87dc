import fc from 'fast-check';
import { cleanText } from '../src/index.ts';

const limit = 500;

describe('cleanText', () => {
  it.each<[why: string, raw: string, cleaned: string]>([
    ['plain text stays as it is', 'hello', 'hello'],
    ['spaces around it go', ' \t\n hello \n', 'hello'],
    ['newlines and tabs inside it stay', 'a\n\n\tb', 'a\n\n\tb'],
    ['line breaks of other systems become newlines', 'a\r\nb\rc\u0085d\u2028e\u2029f', 'a\nb\nc\nd\ne\nf'],
    ['controls go', 'a\u0000b\u0007c\u001b[31md\u007fe\u009bf', 'abc[31mdef'],
    ['overrides and isolates of the direction go', '\u202aa\u202eb\u202cc\u2066d\u2069', 'abcd'],
    ['the byte order mark goes', 'a\ufeffb', 'ab'],
    ['what is composed of parts becomes one character', 'e\u0301', 'é'],
    ['parts that a control kept apart are composed too', 'e\u0000\u0301', 'é'],
    ['half a character becomes the replacement character', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    ['HTML stays as it is', '<b onclick="x()">&amp;</b>', '<b onclick="x()">&amp;</b>'],
    ['a joined emoji stays whole', '👩\u200d👩\u200d👧\ufe0f', '👩\u200d👩\u200d👧\ufe0f'],
    ['right-to-left text and its marks stay', '\u200fשלום', '\u200fשלום'],
  ])('%s', (_why, raw, cleaned) => {
    expect(cleanText(raw, limit)).toBe(cleaned);
  });

  it.each<[why: string, raw: string]>([
    ['nothing', ''],
    ['spaces', ' \t\n\u00a0\u3000'],
    ['characters without width', '\u200b\u200c\u200d\u2060'],
    ['soft hyphens, fillers and selectors', '\u00ad\u3164\u115f\ufe0f\u{e0041}'],
    ['controls', '\u0000\u0007\u009f'],
    ['overrides of the direction', '\u202e\u2066\u2069'],
  ])('refuses a text of only %s', (_why, raw) => {
    expect(cleanText(raw, limit)).toBeUndefined();
  });

  it('counts code points, after cleaning', () => {
    expect(cleanText('a'.repeat(500), limit)).toHaveLength(500);
    expect(cleanText('a'.repeat(501), limit)).toBeUndefined();
    expect(cleanText('😀'.repeat(500), limit)).toBe('😀'.repeat(500));
    expect(cleanText('😀'.repeat(501), limit)).toBeUndefined();
    expect(cleanText(`  ${'a'.repeat(500)}\u0000 `, limit)).toHaveLength(500);
    expect(cleanText('e\u0301'.repeat(500), limit)).toBe('é'.repeat(500));
    // This one character has no composed form: it becomes two.
    expect(cleanText('\u0958'.repeat(251), limit)).toBeUndefined();
  });

  it('does no work on what is far too long', () => {
    expect(cleanText(' '.repeat(4 * limit), limit)).toBeUndefined();
    expect(cleanText(`${' '.repeat(4 * limit - 1)}a`, limit)).toBe('a');
    expect(cleanText(`${' '.repeat(4 * limit)}a`, limit)).toBeUndefined();
  });

  it('gives a text that is safe to pass on, whatever comes in', () => {
    const nasty = fc.constantFrom(...'\r\n\t\0\u0085\u2028\u202e\u2066\ufeff\u0301\u0958\u200b\ud83d\ude00 a<');
    const codeUnit = fc.nat(0xffff).map(unit => String.fromCharCode(unit));
    const raw = fc.oneof(
      fc.array(fc.oneof(nasty, codeUnit), { maxLength: 60 }).map(units => units.join('')),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    fc.assert(
      fc.property(raw, fc.integer({ min: 1, max: 30 }), (text, maxCharacters) => {
        const cleaned = cleanText(text, maxCharacters);
        if (cleaned === undefined) return;
        expect(cleanText(cleaned, maxCharacters)).toBe(cleaned);
        expect(cleaned.isWellFormed()).toBe(true);
        expect(cleaned.normalize('NFC')).toBe(cleaned);
        expect(cleaned).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/u);
        expect(cleaned.trim()).toBe(cleaned);
        expect(cleaned).not.toBe('');
        expect([...cleaned].length).toBeLessThanOrEqual(maxCharacters);
      }),
      { numRuns: 3000 },
    );
  });

  it('loses nothing of an ordinary text', () => {
    const ordinary = fc.string({ unit: fc.constantFrom(...'abc xyz\n\té😀漢') }).map(text => text.trim());
    fc.assert(
      fc.property(ordinary, text => {
        expect(cleanText(text, 1000)).toBe(text === '' ? undefined : text);
      }),
    );
  });
});
