import type { ErrorCode, ErrorDetails } from './error-code.ts';

export interface ChatMessage {
  /** Names the message; unique. */
  id: string;
  /** The text, cleaned by the server. Not HTML-escaped: render it as text. */
  message: string;
  /** When the server took it, in ms since the epoch. */
  at: number;
  /** Only to resuming clients: the session in which it was written. */
  sessionId?: string;
  /** Only between resuming clients: the sender's number for it. */
  seq?: number;
}

export interface Matched {
  sessionId: string;
  /** When the chat began, in ms since the epoch. */
  startedAt: number;
}

/**
 * Why a session ended. `timeout`: one side's node died, or one side was away for longer than the grace time. `lost`, which
 * only the record of sessions has: the registry lost it. Clients should treat reasons that they do not know like `disconnect`.
 */
export type EndReason = 'skip' | 'end' | 'disconnect' | 'timeout' | 'lost';

export interface PartnerLeft {
  sessionId: string;
  reason: EndReason;
}

/**
 * What a client sends as `auth` when it connects. Without `resume` it is a plain client, which is gone when its connection
 * is gone.
 */
export interface Handshake {
  /** `true` to be able to resume later, or the token of the last {@link Welcome}, to resume now. */
  resume?: true | string;
}

/** The first event that a resuming client gets on each connection: who it is, and what it is doing. */
export interface Welcome {
  /** Resumes this user, on any node. It replaces the one before, and is to be kept secret. */
  token: string;
  /** False: the token was of no use, and this is a new user. */
  resumed: boolean;
  /** How long the user may be away and come back, in ms. */
  graceMs: number;
  state: 'idle' | 'waiting' | 'paired';
  /** There when `state` is `paired`. */
  session?: Matched & { partnerAway: boolean };
}

/** The partner lost the connection, and may come back within `graceMs`. */
export interface PartnerAway {
  sessionId: string;
  graceMs: number;
}

export interface PartnerBack {
  sessionId: string;
}

/**
 * Says that all messages up to number `upTo` (0: none) have been shown. As `received` it is the receiver's; as `delivered`
 * it is what the sender gets of it.
 */
export interface Receipt {
  sessionId: string;
  upTo: number;
  /** Later messages may have been lost on the way: the sender is asked for them again, and answers with a receipt of its own. */
  resend?: boolean;
  /** In such an answer, to one who asks for messages that are gone: the receiver's own begin with this number. */
  from?: number;
}

/** Messages and receipts may have been lost on the way to this client: it should ask again, and send again. */
export interface Missed {
  sessionId: string;
}

/** Whether the user is writing. As `typing` it is the writer's; as `partner_typing` it is what the partner gets of it. */
export interface Typing {
  sessionId: string;
  typing: boolean;
}

/** What goes on in the pool, for who thinks of searching. */
export interface Lobby {
  /** How many users are connected, on all nodes. */
  online: number;
  /**
   * How long a search that does not find somebody at once will probably wait, in ms: the median of what those waited who were
   * matched in the last minutes. Null when there were none.
   */
  waitMs: number | null;
}

export interface Announcement {
  message: string;
  at: number;
}

/** A user's state. `sessionId` is there when `state` is `paired`. */
export interface StateReply {
  state: 'idle' | 'waiting' | 'paired';
  sessionId?: string;
}

export type Ack<Reply extends object> =
  | ({ ok: true } & Reply)
  | { ok: false; error: { code: ErrorCode; message: string; retryAfterMs?: number } };

type Acknowledge<Reply extends object> = (reply: Ack<Reply>) => void;

/**
 * What a message may look like on the wire. Unknown fields are dropped. In a session that it names it is said, and in no other. A
 * resuming client always names it, and numbers its messages there from 1; a number without a session is an error.
 */
export type MessageInput =
  | string
  | { message: string; seq?: number; sessionId?: string }
  | { text: string; seq?: number; sessionId?: string };

/** The events a client sends. Each takes an acknowledgement as an optional last argument. */
export interface ClientEvents {
  search: (options?: object | null, acknowledge?: Acknowledge<StateReply>) => void;
  message: (input: MessageInput, acknowledge?: Acknowledge<{ id: string; at: number }>) => void;
  /** With `{ sessionId }` nothing is done unless the user is in that session; the same for `end_chat`. */
  skip: (meant?: object | null, acknowledge?: Acknowledge<StateReply>) => void;
  end_chat: (meant?: object | null, acknowledge?: Acknowledge<StateReply>) => void;
  /** Only from resuming clients. Cumulative, so that one for many messages is enough. */
  received: (receipt: Receipt, acknowledge?: Acknowledge<object>) => void;
  /** Best effort. The partner takes it back by itself after 6 s, and at a message: say it again every 3 s while it is true. */
  typing: (typing: Typing, acknowledge?: Acknowledge<object>) => void;
}

/** The events a server sends. */
export interface ServerEvents {
  matched: (matched: Matched) => void;
  message: (message: ChatMessage) => void;
  partner_left: (left: PartnerLeft) => void;
  /** The answer to an event that failed and had no acknowledgement. */
  error: (text: string, details: ErrorDetails) => void;
  /** From the operator, to everyone. */
  announcement: (announcement: Announcement) => void;
  /** This and the following go to resuming clients only. */
  welcome: (welcome: Welcome) => void;
  partner_away: (away: PartnerAway) => void;
  partner_back: (back: PartnerBack) => void;
  delivered: (receipt: Receipt) => void;
  missed: (missed: Missed) => void;
  /** Not true any more after 6 s, or once a message of the partner comes. */
  partner_typing: (typing: Typing) => void;
  /** After the welcome, and when it has changed, every few seconds at the most. */
  lobby: (lobby: Lobby) => void;
}
