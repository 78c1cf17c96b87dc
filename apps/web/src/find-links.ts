export interface TextPart {
  text: string;
  /** The address, if this part is one. */
  link?: string;
}

// Where a sentence ends after an address, or a bracket closes, that is no part of it.
const address = /\bhttps?:\/\/[^\s<>"“”]+[^\s<>"“”.,;:!?'’)\]}*_]/giu;

/** Splits a text into addresses of web pages and what is between them. Nothing but http and https is taken for a link. */
export function findLinks(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(address)) {
    if (!URL.canParse(link)) continue;
    if (index > end) parts.push({ text: text.slice(end, index) });
    parts.push({ text: link, link: new URL(link).href });
    end = index + link.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}
