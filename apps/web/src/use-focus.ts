import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { stillWriting } from './still-writing.ts';

/**
 * Gives the button the focus when it appears, if what had it is gone: someone on the keyboard goes on from where the page
 * goes on. Who is still writing to a partner who has left does not press it: the rest would go to the next stranger.
 */
export function useFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    // Not when the page has just been opened: it is read from its beginning.
    if (!navigator.userActivation?.hasBeenActive) return;
    const { activeElement } = document;
    if (activeElement && activeElement !== document.body) return;
    const button = element.current;
    button?.focus({ preventScroll: true });
    // A click without a number is one by a key.
    const refuse = (event: MouseEvent) => event.detail === 0 && stillWriting() && event.stopImmediatePropagation();
    button?.addEventListener('click', refuse, { capture: true });
  }, []);
  return element;
}
