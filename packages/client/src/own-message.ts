import type { ChatError } from './chat-error.ts';

/**
 * What became of an own message:
 *
 *   kept ──▶ sent ──▶ delivered
 *     └────────┴────▶ failed
 *
 * - `kept`: numbered, and sent as soon as the connection and the partner are there
 * - `sent`: a server has passed it on, at most once; it is kept on, and sent again after an interruption
 * - `delivered`: the partner's client has shown it
 * - `failed`: refused by the server, or the session ended first
 */
export type OwnMessageStatus = 'kept' | 'sent' | 'delivered' | 'failed';

/** A message that the user has written. It changes; each change is an `ownMessage` event of the chat. */
export interface OwnMessage {
  readonly sessionId: string;
  /** The text, cleaned as the server cleans it. */
  readonly text: string;
  readonly status: OwnMessageStatus;
  /** Why it failed: `INVALID_MESSAGE`, or `NOT_IN_CHAT` when the session ended first. */
  readonly error: ChatError | undefined;
  /** Whether the partner may have seen it. Of a failed message that is all there is to know. */
  readonly maybeShown: boolean;
  /** Resolves when it is delivered; rejects with a {@link ChatError} when it failed. May be left alone. */
  readonly delivered: Promise<void>;
}

/** The side of an {@link OwnMessage} that its queue holds. */
export class KeptMessage implements OwnMessage {
  readonly sessionId: string;
  readonly text: string;
  status: OwnMessageStatus = 'kept';
  error: ChatError | undefined;
  maybeShown = false;
  readonly delivered: Promise<void>;
  #resolve = (): void => undefined;
  #reject = (_error: ChatError): void => undefined;

  constructor(sessionId: string, text: string) {
    this.sessionId = sessionId;
    this.text = text;
    this.delivered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever only looks at the status need not handle the rejection.
    this.delivered.catch(() => undefined);
  }

  deliver(): void {
    this.status = 'delivered';
    this.#resolve();
  }

  fail(error: ChatError): void {
    this.status = 'failed';
    this.error = error;
    this.#reject(error);
  }
}
