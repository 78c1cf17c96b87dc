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
    ['of a tower of marks ten stay', `H${'\u0335'.repeat(40)}i`, `H${'\u0335'.repeat(10)}i`],
    ['and no more if joiners stand between', `H${'\u0335\u200d'.repeat(20)}i`, `H${'\u0335\u200d'.repeat(5)}i`],
    ['nor of marks that are two each', `q${'\u0344'.repeat(20)}i`, `q${'\u0308\u0301'.repeat(5)}i`],
    ['nor behind a character that is not composed', `\u0958${'\u0335'.repeat(20)}`, `\u0915${'\u0335'.repeat(10)}`],
  ])('%s', (_why, raw, cleaned) => {
    expect(cleanText(raw, limit)).toBe(cleaned);
  });

  it.each<[language: string, text: string]>([
    ['Vietnamese', 'Tiếng Việt: Nguyễn Thị Hường ở Đà Nẵng'],
    ['Greek with accents', 'ᾧ ἄνθρωποι, ᾗ ᾠδή ΐ ΰ ᾂ'],
    ['Hebrew with points and accents', 'בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים אֵ֥ת הַשָּׁמַ֖יִם וְאֵ֥ת הָאָֽרֶץ׃ שָּֽׁ֖֗'],
    ['Arabic with marks', 'بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ ٱلرَّحِيمِ ۝ مُّبِينٌۭ'],
    ['Thai', 'น้ำที่นี่ไม่ร้อนเลยครับ ปู่กู้เงินใช้ที่ร้านค้า'],
    ['Tibetan', 'ཨོཾ་མ་ཎི་པདྨེ་ཧཱུྃ། བརྒྱུད་ ཧྐྵྨླྺྼྻྂ'],
    ['Hindi', 'नमस्ते, क्या हाल है? र्क्ष्म्य ख़ुशी'],
    ['Burmese', 'မြန်မာဘာသာ မင်္ဂလာပါ ကြောင့် ဗြုန်းကြွေ့ှို့်း'],
    ['Khmer', 'ខ្ញុំស្រឡាញ់ភាសាខ្មែរ ស្ត្រី'],
    ['Tamil and Telugu', 'வணக்கம் ஸ்ரீ క్ష్మ్యో'],
    ['Korean', '안녕하세요 한글'],
    ['Mongolian', 'ᠮᠣᠩᠭᠣᠯ\u180b ᠪᠢᠴᠢᠭ᠌'],
    ['the phonetic alphabet', 'ɛ̃̀ː t̪͡s̪ʰ o̞̽̃̂'],
    ['emoji', '👩\u200d❤️\u200d💋\u200d👩 👨🏽\u200d🚒 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣ 🏳️\u200d⚧️ ☺︎'],
  ])('changes nothing but the form of %s', (_language, text) => {
    expect(cleanText(text, limit)).toBe(text.normalize('NFC'));
    expect(cleanText(text.normalize('NFD'), limit)).toBe(text.normalize('NFC'));
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

  it('normalizes no more than it was given, and only in runs of non-starters as short as UAX #15 has them', () => {
    const { normalize } = String.prototype;
    const nfd = (text: string): string => normalize.call(text, 'NFD');
    // Marks of the classes 1 and 240, around which `normalize` has to sort every other non-starter.
    const isNonStarter = (character: string) =>
      nfd(`${character}\u0334`) !== `${nfd(character)}\u0334` ||
      nfd(`\u0345${character}`) !== `\u0345${nfd(character)}`;
    const longestRun = (text: string) => {
      let [longest, run] = [0, 0];
      for (const character of nfd(text)) {
        run = isNonStarter(character) ? run + 1 : 0;
        longest = Math.max(longest, run);
      }
      return longest;
    };
    expect(
      ['a', '\u0915', '\u093f', '\u0334', '\u0345', '\u0301', '\u05b4', '\u3099', '\u{1d165}'].map(isNonStarter),
    ).toEqual([false, false, false, true, true, true, true, true, true]);
    const given: string[] = [];
    const spy = jest.spyOn(String.prototype, 'normalize').mockImplementation(function (this: string, form?: string) {
      given.push(String(this));
      return normalize.call(this, form);
    });
    const marks = fc.string({
      unit: fc.constantFrom(
        ...'\u0300\u0301\u0334\u0344\u0345\u0f73\u0f81\u05b4\u064b\u0e38\u200d\ufe0f\u034f\u0000\u202e\u{1d165}\u1f82\u0ccb',
      ),
      minLength: 20,
      maxLength: 150,
    });
    const any = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(fc.array(fc.oneof(marks, any), { maxLength: 8 }), parts => {
        const raw = parts.join('');
        given.length = 0;
        const cleaned = cleanText(raw, limit);
        const steps = given.slice();
        expect(steps.length).toBeLessThanOrEqual(1);
        expect(steps.join('').length).toBeLessThanOrEqual(Math.min(raw.length, 4 * limit));
        expect(Math.max(0, ...steps.map(longestRun))).toBeLessThanOrEqual(30);
        if (cleaned !== undefined) expect(cleanText(cleaned, limit)).toBe(cleaned);
      }),
      { numRuns: 500 },
    );
    spy.mockRestore();
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
