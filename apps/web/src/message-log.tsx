import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { MessageItem } from './message-item.tsx';
import { texts } from './texts.ts';
import type { View } from './view.ts';

/** Someone who is nearer to the end than this reads along, in px. */
const nearPx = 80;

interface Props {
  view: View;
  onLink: (link: string) => void;
}

/** What was said. Stays at the end, unless the user reads further up. */
export function MessageLog({ view: { entries, partnerTyping }, onLink }: Props) {
  const box = useRef<HTMLElement>(null);
  const atEnd = useRef(true);
  const [isBehind, setBehind] = useState(false);
  const last = entries.at(-1);
  const toEnd = (): void => box.current?.scrollTo({ top: box.current.scrollHeight });

  useLayoutEffect(() => {
    if (atEnd.current || last?.from === 'me') toEnd();
    else setBehind(true);
  }, [last?.key]);

  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
  }, [partnerTyping]);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => atEnd.current && toEnd());
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < nearPx;
    if (atEnd.current) setBehind(false);
  };

  return (
    <div class="log">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: without it, nobody could scroll with the keyboard */}
      <section class="scroll" ref={box} onScroll={scrolled} tabIndex={0} aria-label={texts.messages}>
        <ol>
          {entries.map(entry => (
            <MessageItem key={entry.key} entry={entry} onLink={onLink} />
          ))}
          {partnerTyping && (
            <li class="partner typing">
              <span class="visually-hidden">{texts.typing}</span>
              <i />
              <i />
              <i />
            </li>
          )}
        </ol>
      </section>
      {isBehind && (
        <button
          type="button"
          class="behind"
          onClick={() => {
            toEnd();
            // The button goes away, and must not take the focus with it.
            box.current?.focus({ preventScroll: true });
          }}
        >
          {texts.newMessages} ↓
        </button>
      )}
    </div>
  );
}
