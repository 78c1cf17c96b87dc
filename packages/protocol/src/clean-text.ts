/** C0 and C1 controls but tab and newline, the byte order mark, and the characters that reorder text around them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const unwanted = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const lineBreaks = /\r\n?|[\u0085\u2028\u2029]/g;
/** Most texts: printable ASCII without a space at either end. Nothing about such a text changes. */
const alreadyClean = /^[!-~](?:[ -~]*[!-~])?$/;
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Makes a text safe to pass on: well-formed Unicode in form NFC, line breaks as `\n`, without control characters and
 * bidirectional overrides, trimmed. It is not HTML-escaped.
 * @param maxCharacters the most Unicode code points that the cleaned text may have
 * @returns the cleaned text, or undefined when it is too long or nothing in it can be seen
 */
export function cleanText(raw: string, maxCharacters: number): string | undefined {
  // A code point is at most two units; the rest is room for what will be removed. Longer input is not worth the work.
  if (raw.length > 4 * maxCharacters) return undefined;
  if (alreadyClean.test(raw)) return raw.length <= maxCharacters ? raw : undefined;
  const text = raw.toWellFormed().replace(lineBreaks, '\n').replace(unwanted, '').normalize('NFC').trim();
  if (!visible.test(text)) return undefined;
  if (text.length > maxCharacters && [...text].length > maxCharacters) return undefined;
  return text;
}
