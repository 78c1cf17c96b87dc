import { ChatError } from '@passerby/client';
import { texts } from './texts.ts';
import type { Trouble } from './view.ts';

export function troubleOf(error: unknown, of: Trouble['of']): Trouble {
  const { code, retryAfterMs } = error instanceof ChatError ? error : new ChatError('UNAVAILABLE');
  return { code, of, until: retryAfterMs === undefined ? undefined : performance.now() + retryAfterMs };
}

/** How long it is until it makes sense to try again, in ms; 0 also where nobody knows. */
export function timeLeft({ until = 0 }: Trouble): number {
  return Math.max(0, until - performance.now());
}

/** What has happened, and what comes of it. */
export function troubleSentence(trouble: Trouble): string {
  const { code, of, until } = trouble;
  const failed = of in texts.failed ? texts.failed[of as keyof typeof texts.failed] : '';
  // What was in the way of a command need not be there any more when it can be tried again.
  const isOver = failed !== '' && until !== undefined && timeLeft(trouble) === 0;
  const why = isOver ? '' : (texts.errors[code] ?? texts.errors.UNAVAILABLE);
  const then = until === undefined || of === 'text' ? '' : waitSentence(of, timeLeft(trouble));
  return [failed, why, then].filter(Boolean).join(' ');
}

function waitSentence(of: Trouble['of'], ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (of === 'messages') return seconds > 0 ? texts.sendsIn(seconds) : texts.sendsNow;
  if (of === 'connection' || of === 'putOff') return seconds > 0 ? texts.triesIn(seconds) : texts.triesNow;
  return seconds > 0 ? texts.canTryIn(seconds) : texts.canTryNow;
}
