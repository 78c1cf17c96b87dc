export { cleanText } from './clean-text.ts';
export { type Place, parseHandshake } from './client-input.ts';
export { type Command, parseCommand } from './command.ts';
export { type ErrorCode, type ErrorDetails, errorTexts } from './error-code.ts';
export type {
  Ack,
  Announcement,
  ChatMessage,
  ClientEvents,
  EndReason,
  Handshake,
  Lobby,
  Matched,
  MessageInput,
  Missed,
  PartnerAway,
  PartnerBack,
  PartnerLeft,
  Receipt,
  ServerEvents,
  StateReply,
  Typing,
  Welcome,
} from './events.ts';
export { maxSeq } from './max-seq.ts';
