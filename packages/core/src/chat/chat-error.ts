import { type ErrorCode, errorTexts } from '@passerby/protocol';

/** What a user did could not be done. Its message may be shown to the user. */
export class ChatError extends Error {
  readonly code: ErrorCode;
  /** When it makes sense to try again, in ms from now. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(errorTexts[code], { cause: options.cause });
    this.name = 'ChatError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? (code === 'UNAVAILABLE' || code === 'BUSY' ? 1000 : undefined);
  }
}
