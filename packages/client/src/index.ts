export type {
  Announcement,
  ChatMessage,
  Lobby,
  PartnerAway,
  PartnerBack,
  PartnerLeft,
} from '@passerby/protocol';
export type { Chat, ChatOptions, CommandOptions } from './chat.ts';
export { ChatError, type ChatErrorCode } from './chat-error.ts';
export type { ChatEvents, ChatState, ConnectionStatus } from './chat-events.ts';
export { connect } from './connect.ts';
export type { Session } from './conversation.ts';
export type { OwnMessage, OwnMessageStatus } from './own-message.ts';
export type { ChatStorage } from './saved-chat.ts';
export type { ChatSocket, SocketIoOptions, World } from './world.ts';
