import type { ChatMessage, Receipt, Typing } from '@passerby/protocol';
import type { UserChange } from './user-change.ts';

/** The sender of a message, who is doubted when it was dropped. */
export interface Sender {
  userId: string;
  nodeId: string;
}

/**
 * A chat message, a receipt, or word of typing, on its way to another node. It names its recipient and its session: the receiving node
 * checks both. `order` grows with each message of a plain sender: one that was held up on the way is not shown after later ones.
 * Nodes of the version before send no `from`.
 */
export type UserMessage =
  | { kind: 'chat'; userId: string; from?: Sender; sessionId: string; message: ChatMessage; order?: number }
  | { kind: 'receipt'; userId: string; from?: Sender; receipt: Receipt }
  | { kind: 'typing'; userId: string; from?: Sender; typing: Typing };

/**
 * What nodes send to nodes. `dropped`: a message of this user in this session was dropped, because its recipient was not in that
 * session there. Nothing is sent in answer to it.
 */
export type RoutedMessage = UserMessage | { kind: 'dropped'; userId: string; sessionId: string };

/**
 * What a node receives: messages from other nodes, and from the pair store the changes of its users. `unreadable`: a change of this
 * user came that cannot be read, or of any user where even that cannot be.
 */
export type NodeMessage =
  | RoutedMessage
  | { kind: 'change'; change: UserChange }
  | { kind: 'unreadable'; userId: string | undefined };

export interface NodeListener {
  receive(message: NodeMessage): void;
  /** Some of what was sent may have been missed. It is received again from now on. */
  missed(): void;
}

/** Carries messages from node to node, each node on a channel of its own: at most once, in order between two nodes. */
export interface NodeBus {
  /** Starts to receive what is sent to `nodeId`, instead of any node before. Resolves once nothing sent later is missed. */
  listen(nodeId: string, listener: NodeListener): Promise<void>;

  /**
   * Sends a message to a node. Rejects with a {@link ChatError} `UNAVAILABLE` when it cannot be sent.
   * @returns whether the node was listening
   */
  send(nodeId: string, message: RoutedMessage): Promise<boolean>;
}
