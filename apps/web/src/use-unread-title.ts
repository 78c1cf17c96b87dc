import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { texts } from './texts.ts';
import type { Entry } from './view.ts';

/** Counts, in the title, what has come while the page could not be seen: people look elsewhere while they wait. */
export function useUnreadTitle(last: Entry | undefined): void {
  const unread = useRef(0);
  // Together with what is shown, and not after the next frame: a page that cannot be seen draws none.
  useLayoutEffect(() => {
    if (!last || last.from === 'me' || !document.hidden) return;
    unread.current += 1;
    document.title = `(${unread.current}) ${texts.name}`;
  }, [last?.key]);
  useEffect(() => {
    const seen = (): void => {
      if (document.hidden) return;
      unread.current = 0;
      document.title = texts.name;
    };
    addEventListener('visibilitychange', seen);
    return () => removeEventListener('visibilitychange', seen);
  }, []);
}
