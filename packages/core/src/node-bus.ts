import type { ChatMessage } from '@passerby/protocol';
import type { UserChange } from './user-change.ts';

/** A chat message on its way to another node. It names its recipient and its session: the receiving node checks both. */
export interface RoutedMessage {
  kind: 'chat';
  userId: string;
  sessionId: string;
  message: ChatMessage;
}

/** What a node receives: chat messages from other nodes, and from the pair store the changes of its users. */
export type NodeMessage = RoutedMessage | { kind: 'change'; change: UserChange };

/** Carries messages from node to node, each node on a channel of its own: at most once, in order between two nodes. */
export interface NodeBus {
  /** Starts to receive what is sent to `nodeId`, instead of any node before. Resolves once nothing sent later is missed. */
  listen(nodeId: string, receive: (message: NodeMessage) => void): Promise<void>;

  /**
   * Sends a message to a node. Rejects with a {@link ChatError} `UNAVAILABLE` when it cannot be sent.
   * @returns whether the node was listening
   */
  send(nodeId: string, message: RoutedMessage): Promise<boolean>;
}
