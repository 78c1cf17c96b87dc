import type { ChatErrorCode, ConnectionStatus, OwnMessageStatus } from '@passerby/client';

/**
 *              start               a partner            the chat ends
 *   home ────────────▶ searching ────────────▶ chatting ─────────────▶ ended
 *    ▲                  │      ▲                  │                      │
 *    └───── stop ───────┘      └───── next ───────┴──────────────────────┘
 *
 * A page that is loaded again is `returning`, until the server has told what goes on.
 */
export type Phase = 'returning' | 'home' | 'searching' | 'chatting' | 'ended';

/** A line of the chat as it is shown. */
export type Entry =
  | { readonly key: number; readonly from: 'partner'; readonly text: string }
  | {
      readonly key: number;
      readonly from: 'me';
      readonly text: string;
      readonly status: OwnMessageStatus;
      /** Of one that failed: whether the partner may have seen it. */
      readonly maybeShown: boolean;
    }
  | { readonly key: number; readonly from: 'page'; readonly text: string };

/** What the user can want of the client. */
export type Command = 'search' | 'skip' | 'endChat';

/** Something that could not be done, and what comes of it. */
export interface Trouble {
  readonly code: ChatErrorCode;
  /** When it makes sense to try again, in ms since the page was opened (`performance.now()`). */
  readonly until: number | undefined;
  /**
   * `messages`, `connection` and a search that was `putOff` are tried again by themselves, a command by the user, and `text` has
   * to be changed.
   */
  readonly of: 'messages' | 'connection' | 'putOff' | 'text' | Command;
}

/** All that the page shows. */
export interface View {
  readonly phase: Phase;
  readonly connection: ConnectionStatus;
  /** The connection has been lost for long enough to say so. */
  readonly interrupted: boolean;
  /** The browser knows of no network. */
  readonly offline: boolean;
  /** Why the chat is closed for good. */
  readonly closed: 'REPLACED' | 'CLOSED' | undefined;
  /** Names the chat on the screen: what was begun in another one is not for it. */
  readonly sessionId: string | undefined;
  readonly entries: readonly Entry[];
  /** The partner has been without a connection for long enough to say so. */
  readonly partnerAway: boolean;
  readonly partnerTyping: boolean;
  readonly lobby: { readonly online: number; readonly waitMs: number | null } | undefined;
  /** With the messages, or the connection. */
  readonly trouble: Trouble | undefined;
  /** The command that could not be carried out, for as long as it may be news. No other trouble hides it. */
  readonly failure: Trouble | undefined;
  /** What the operator says to everyone. */
  readonly announcement: string | undefined;
  /** Esc was pressed once. */
  readonly escaping: boolean;
}

export const firstView: View = {
  phase: 'home',
  connection: 'connecting',
  interrupted: false,
  offline: false,
  closed: undefined,
  sessionId: undefined,
  entries: [],
  partnerAway: false,
  partnerTyping: false,
  lobby: undefined,
  trouble: undefined,
  failure: undefined,
  announcement: undefined,
  escaping: false,
};
