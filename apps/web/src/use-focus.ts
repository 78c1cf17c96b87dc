import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * Gives the element the focus when it appears, if what had it is gone: someone on the keyboard goes on from where the page
 * goes on.
 */
export function useFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    // Not when the page has just been opened: it is read from its beginning.
    if (!navigator.userActivation?.hasBeenActive) return;
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body) element.current?.focus({ preventScroll: true });
  }, []);
  return element;
}
