export { cleanText } from './clean-text.ts';
export { isSearchOptions, parseHandshake, parseMessage, parseNumbering, parseReceipt } from './client-input.ts';
export { type ErrorCode, type ErrorDetails, errorTexts } from './error-code.ts';
export type {
  Ack,
  Announcement,
  ChatMessage,
  ClientEvents,
  EndReason,
  Handshake,
  Matched,
  MessageInput,
  Missed,
  PartnerAway,
  PartnerBack,
  PartnerLeft,
  Receipt,
  ServerEvents,
  StateReply,
  Welcome,
} from './events.ts';
