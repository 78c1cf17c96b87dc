import { Chat, type ChatOptions } from './chat.ts';

/**
 * Connects to the chat, on whichever node answers at this address, and stays connected until `close`.
 * @param url such as `location.origin`
 */
export function connect(url: string, options?: ChatOptions): Chat {
  return new Chat(url, options);
}
