/**
 * Every error a client can get, with the sentence that its user may be shown. Clients match on the code; some match on
 * the sentences `Invalid message` and `Too many messages sent`, so those two never change.
 */
export const errorTexts = {
  INVALID_MESSAGE: 'Invalid message',
  INVALID_INPUT: 'Invalid input',
  UNKNOWN_EVENT: 'Unknown event',
  NOT_IN_CHAT: 'You are not in a chat',
  ALREADY_IN_CHAT: 'You are already in a chat',
  PARTNER_AWAY: 'Your partner lost the connection for a moment, please try again',
  REPLACED: 'This chat goes on in another window',
  TOO_MANY_MESSAGES: 'Too many messages sent',
  TOO_MANY_REQUESTS: 'Too many requests',
  TOO_MANY_CONNECTIONS: 'Too many connections from your address',
  BUSY: 'Very many people want to chat right now, please try again in a moment',
  UNAVAILABLE: 'The chat service is not available right now, please try again in a moment',
} as const;

export type ErrorCode = keyof typeof errorTexts;

/** Second argument of the `error` event, beside its text. */
export interface ErrorDetails {
  code: ErrorCode;
  /** When it makes sense to try again, in ms from now. Present where waiting helps. */
  retryAfterMs?: number;
}
