export { cleanText } from './clean-text.ts';
export { isSearchOptions, parseMessage } from './client-input.ts';
export { type ErrorCode, type ErrorDetails, errorTexts } from './error-code.ts';
export type {
  Ack,
  Announcement,
  ChatMessage,
  ClientEvents,
  EndReason,
  Matched,
  MessageInput,
  PartnerLeft,
  ServerEvents,
  StateReply,
} from './events.ts';
