/** Markup that needs no escaping any more. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = Html | string | number | undefined | readonly Content[];

/** A template of markup. Whatever is put in is escaped, unless it is `Html` itself; lists are joined. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.map((part, at) => part + (at < contents.length ? markup(contents[at]) : '')).join(''));
}

/** Data for a script of the page to read; nothing in it can end the script element. */
export function jsonScript(data: unknown): Html {
  return new Html(`<script type="application/json">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>`);
}

function markup(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(markup).join('');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
