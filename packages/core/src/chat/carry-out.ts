import type { Command } from '@passerby/protocol';
import { ChatError } from './chat-error.ts';
import type { ChatService } from './chat-service.ts';

/**
 * Does what a command of a user's asks for. Rejects as the methods of {@link ChatService} do, or with what a refused one says.
 * @returns what makes the reply, besides `ok`: the state is read in the moment of the answer. A match may come first, and `waiting`
 * after `matched` would mislead the client
 */
export async function carryOut(service: ChatService, userId: string, command: Command): Promise<() => object> {
  switch (command.kind) {
    case 'message': {
      const { id, at } = await service.send(userId, command.text, command.place);
      return () => ({ id, at });
    }
    case 'received':
      await service.acknowledge(userId, command.receipt);
      return () => ({});
    case 'typing':
      await service.tellTyping(userId, command.typing);
      return () => ({});
    case 'refused':
      throw new ChatError(command.code);
    case 'search':
      await service.search(userId);
      break;
    case 'skip':
      await service.skip(userId, command.sessionId);
      break;
    case 'end_chat':
      await service.endChat(userId, command.sessionId);
  }
  return () => service.stateOf(userId);
}
