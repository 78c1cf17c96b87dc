import { maxSeq } from '@passerby/protocol';
import type { OutgoingState } from './outgoing.ts';

/**
 * Where a page keeps what it needs to go on after it was loaded again: `sessionStorage`, or anything like it. Not
 * `localStorage`, which all tabs share: each tab is a user of its own.
 */
export interface ChatStorage {
  getItem: (key: string) => string | null;
  setItem: (key: string, value: string) => void;
  removeItem: (key: string) => void;
}

/** The token alone would not do: with numbers from 1 again, the partner's client would take each message for an old one. */
export interface SavedChat {
  token: string;
  /** The session that the user was in: the number of the last message shown, and the own messages. */
  session?: { sessionId: string; shown: number; outgoing: OutgoingState };
}

const key = 'passerby';

/** What was saved, or undefined when nothing was, or nothing that can be read. */
export function loadChat(storage: ChatStorage | undefined): SavedChat | undefined {
  try {
    return parseChat(storage?.getItem(key));
  } catch {
    return undefined;
  }
}

/** A chat in the form in which it is saved, or undefined when it cannot be read. */
export function parseChat(text: string | null | undefined): SavedChat | undefined {
  try {
    const saved: unknown = JSON.parse(text ?? 'null');
    return isSavedChat(saved) ? saved : undefined;
  } catch {
    return undefined;
  }
}

/** Saves; undefined removes. A storage that is full or forbidden keeps nothing, so that nothing outdated is loaded later. */
export function saveChat(storage: ChatStorage, chat: SavedChat | undefined): void {
  try {
    if (chat) storage.setItem(key, JSON.stringify(chat));
    else storage.removeItem(key);
  } catch {
    if (chat) saveChat(storage, undefined);
  }
}

function isSavedChat(saved: unknown): saved is SavedChat {
  const { token, session } = (saved ?? {}) as Partial<SavedChat>;
  if (typeof token !== 'string') return false;
  if (session === undefined) return true;
  const { sessionId, shown, outgoing } = session;
  const { delivered, accepted, texts } = outgoing;
  return (
    typeof sessionId === 'string' &&
    [shown, delivered, accepted].every(number => Number.isInteger(number) && number >= 0 && number <= maxSeq) &&
    texts.every(text => typeof text === 'string')
  );
}
