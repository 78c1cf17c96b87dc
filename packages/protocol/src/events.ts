import type { ErrorCode, ErrorDetails } from './error-code.ts';

export interface ChatMessage {
  /** Names the message; unique. */
  id: string;
  /** The text, cleaned by the server. Not HTML-escaped: render it as text. */
  message: string;
  /** When the server took it, in ms since the epoch. */
  at: number;
}

export interface Matched {
  sessionId: string;
  /** When the chat began, in ms since the epoch. */
  startedAt: number;
}

/**
 * Why a session ended. `timeout`: the node of one side stopped renewing its lease. Clients should treat reasons that they
 * do not know like `disconnect`.
 */
export type EndReason = 'skip' | 'end' | 'disconnect' | 'timeout';

export interface PartnerLeft {
  sessionId: string;
  reason: EndReason;
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

/** What a message may look like on the wire. Unknown fields are dropped. */
export type MessageInput = string | { message: string } | { text: string };

/** The events a client sends. Each takes an acknowledgement as an optional last argument. */
export interface ClientEvents {
  search: (options?: object | null, acknowledge?: Acknowledge<StateReply>) => void;
  message: (input: MessageInput, acknowledge?: Acknowledge<{ id: string; at: number }>) => void;
  skip: (acknowledge?: Acknowledge<StateReply>) => void;
  end_chat: (acknowledge?: Acknowledge<StateReply>) => void;
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
}
