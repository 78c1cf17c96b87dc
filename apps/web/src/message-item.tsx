import { findLinks } from './find-links.ts';
import { texts } from './texts.ts';
import type { Entry } from './view.ts';

interface Props {
  entry: Entry;
  onLink: (link: string) => void;
}

/** One line of the chat. */
export function MessageItem({ entry, onLink }: Props) {
  if (entry.from === 'page') return <li class="page-note">{entry.text}</li>;
  const parts = findLinks(entry.text);
  return (
    <li class={`${entry.from} ${entry.from === 'me' ? entry.status : ''}`}>
      <span class="visually-hidden">{entry.from === 'me' ? texts.you : texts.stranger}: </span>
      <div dir="auto">
        <span class="text">
          {parts.map(({ text, link }) =>
            link === undefined ? (
              text
            ) : (
              // Not an anchor, which could be followed by a slip of the finger, or fetched in advance.
              <button type="button" class="link" onClick={() => onLink(link)}>
                {text}
              </button>
            ),
          )}
        </span>
        {entry.from === 'me' && <Status entry={entry} />}
      </div>
    </li>
  );
}

function Status({ entry: { status, maybeShown } }: { entry: Extract<Entry, { from: 'me' }> }) {
  if (status === 'failed') {
    return <span class="status">{maybeShown ? texts.perhapsDelivered : texts.statuses.failed}</span>;
  }
  return (
    <span class="status" title={texts.statuses[status]}>
      <span class="visually-hidden">{texts.statuses[status]}</span>
      <svg viewBox="0 0 18 10" aria-hidden="true">
        {status === 'kept' && <circle cx="13" cy="5" r="3.5" />}
        {status !== 'kept' && <path d="M6 5.5 9 8.5 15.5 1.5" />}
        {status === 'delivered' && <path d="M1.5 5.5 4.5 8.5 11 1.5" />}
      </svg>
    </span>
  );
}
