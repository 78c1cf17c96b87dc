import type { ChatErrorCode } from '@passerby/client';
import { texts } from './texts.ts';
import type { Trouble } from './view.ts';

/** What has happened, and what comes of it, as it is announced. */
export function troubleSentence(code: ChatErrorCode, of: Trouble['of'], retryAfterMs: number | undefined): string {
  const what = texts.errors[code] ?? texts.errors.UNAVAILABLE;
  return retryAfterMs === undefined || of === 'text' ? what : `${what} ${waitSentence(of, retryAfterMs)}`;
}

/** What comes of trouble, and when. */
export function waitSentence(of: Trouble['of'], ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (of === 'messages') return seconds > 0 ? texts.sendsIn(seconds) : texts.sendsNow;
  if (of === 'connection') return seconds > 0 ? texts.triesIn(seconds) : texts.triesNow;
  return seconds > 0 ? texts.canTryIn(seconds) : texts.canTryNow;
}
