import { type ErrorCode, errorTexts } from '@passerby/protocol';

const ownTexts = {
  OUTGOING_FULL: 'Too many messages wait to be delivered',
  CLOSED: 'This chat is closed',
} as const;

/** What the server answers, or what the client itself says: too many messages wait, or it has been closed. */
export type ChatErrorCode = ErrorCode | keyof typeof ownTexts;

/** What the user wanted could not be done. Its message may be shown to the user. */
export class ChatError extends Error {
  override readonly name = 'ChatError';
  readonly code: ChatErrorCode;
  /** When it makes sense to try again, in ms from now. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ChatErrorCode, retryAfterMs?: number) {
    const texts: Record<string, string> = { ...errorTexts, ...ownTexts };
    // A newer server may know more codes than this client.
    super(texts[code] ?? errorTexts.UNAVAILABLE);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
