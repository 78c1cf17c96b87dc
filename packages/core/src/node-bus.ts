import type { ChatMessage } from '@passerby/protocol';
import type { UserChange } from './user-change.ts';

/** What one node tells another. Every message names its recipient, and a chat message its session: the receiver checks. */
export type NodeMessage =
  | { kind: 'change'; change: UserChange }
  | { kind: 'chat'; userId: string; sessionId: string; message: ChatMessage };

/** Carries messages from node to node, each node on a channel of its own: at most once, in order between two nodes. */
export interface NodeBus {
  /** Starts to receive what is sent to `nodeId`, instead of any node before. Resolves once nothing sent later is missed. */
  listen(nodeId: string, receive: (message: NodeMessage) => void): Promise<void>;

  /**
   * Sends a message to a node. Rejects with a {@link ChatError} `UNAVAILABLE` when it cannot be sent.
   * @returns whether the node was listening
   */
  send(nodeId: string, message: NodeMessage): Promise<boolean>;
}
