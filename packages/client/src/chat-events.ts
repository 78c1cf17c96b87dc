import type { Announcement, ChatMessage, Lobby, PartnerAway, PartnerBack, PartnerLeft } from '@passerby/protocol';
import type { ChatError } from './chat-error.ts';
import type { Session } from './conversation.ts';
import type { OwnMessage } from './own-message.ts';

/** `idle`: neither in a chat nor looking for one. `waiting`: looking for a partner. `paired`: in a session. */
export type ChatState = 'idle' | 'waiting' | 'paired';

/** `connecting`: for the first time. `reconnecting`: the connection was lost. `closed`: for good. */
export type ConnectionStatus = 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** The events of a chat, with the arguments of their listeners. */
export interface ChatEvents {
  state: [state: ChatState];
  /** A session began; or the page was loaded again, and the session of before goes on. */
  matched: [session: Session];
  /** A message of the partner: each once, and in the order in which they were written. */
  message: [message: ChatMessage];
  /** What became of an own message has changed; or it was written before the page was loaded again. */
  ownMessage: [message: OwnMessage];
  /** The partner has lost the connection, and may come back. */
  partnerAway: [away: PartnerAway];
  partnerBack: [back: PartnerBack];
  /** Whether the partner is writing, when that changes. */
  partnerTyping: [typing: boolean];
  /** The session is over, and it was not this user who ended it. */
  partnerLeft: [left: PartnerLeft];
  /** With an error when the server has closed the connection for good: `REPLACED`, or `CLOSED`. */
  connection: [status: ConnectionStatus, error?: ChatError];
  /** How many are online, and how long a wait will probably be, when that changes. */
  lobby: [lobby: Lobby];
  /** From the operator, to everyone. */
  announcement: [announcement: Announcement];
  /** The server refuses what nothing here waits for: the connection, or a kept message. It is tried again by itself. */
  error: [error: ChatError];
}
