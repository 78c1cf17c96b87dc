export type {
  Chat,
  ChatEvents,
  ChatOptions,
  ChatState,
  CommandOptions,
  ConnectionStatus,
} from './chat.ts';
export { ChatError, type ChatErrorCode } from './chat-error.ts';
export { connect } from './connect.ts';
export type { Session } from './conversation.ts';
export type { OwnMessage, OwnMessageStatus } from './own-message.ts';
export type { ChatStorage } from './saved-chat.ts';
