/** C0 and C1 controls but tab and newline, the byte order mark, and the characters that reorder text around them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const unwanted = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const lineBreaks = /\r\n?|[\u0085\u2028\u2029]/g;
/** Most texts: printable ASCII without a space at either end. Nothing about such a text changes. */
const alreadyClean = /^[!-~](?:[ -~]*[!-~])?$/;
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}]/u;
/** Marks upon one another, and what cannot be seen among them: with a joiner between each two they would be as tall. */
const stacked = /[\p{M}\p{Default_Ignorable_Code_Point}]{2,}/gu;
/**
 * No language comes near: the tallest stack known, a Tibetan one, has 8 marks, Hebrew with points and accents 5, an emoji flag
 * 6 tags. More is there to cover the lines around it ("Zalgo").
 *
 * And `normalize` sorts each run of non-starters in quadratic time. All of them are marks, and none decomposes into more than
 * two; with up to three that a character before them brings, these are 23 at the most, fewer than the 30 of UAX #15's Stream-Safe
 * Text Format.
 */
const mostStacked = 10;

/**
 * Makes a text safe to pass on: well-formed Unicode in form NFC, line breaks as `\n`, without control characters and
 * bidirectional overrides, at most ten marks upon one another, trimmed. It is not HTML-escaped. The time it takes grows with the
 * length of the text, and no faster.
 * @param maxCharacters the most Unicode code points that the cleaned text may have
 * @returns the cleaned text, or undefined when it is too long or nothing in it can be seen
 */
export function cleanText(raw: string, maxCharacters: number): string | undefined {
  // A code point is at most two units; the rest is room for what will be removed. Longer input is not worth the work.
  if (raw.length > 4 * maxCharacters) return undefined;
  if (alreadyClean.test(raw)) return raw.length <= maxCharacters ? raw : undefined;
  const bounded = raw.toWellFormed().replace(lineBreaks, '\n').replace(unwanted, '').replace(stacked, lower);
  // Once more: what cannot be composed has become several marks. A part of a text in form NFC is in form NFC.
  const text = bounded.normalize('NFC').replace(stacked, lower).trim();
  if (text.length > 2 * maxCharacters || (text.length > maxCharacters && [...text].length > maxCharacters))
    return undefined;
  return visible.test(text) ? text : undefined;
}

function lower(stack: string): string {
  return stack.length > mostStacked ? [...stack].slice(0, mostStacked).join('') : stack;
}
