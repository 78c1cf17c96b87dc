import type { NodeMessage, Outbox, PairStore } from '../src/index.ts';

/** A store with a pool of its own, and what a test needs to see beside it. */
export interface StoreBench {
  store: PairStore;
  outbox: Outbox;
  /** Starts to collect what a node is sent. */
  listen(nodeId: string): Promise<void>;
  /** All that the node was sent until now, and forgets it. */
  received(nodeId: string): Promise<NodeMessage[]>;
  /** Makes the store forget all but the facts of the outbox. */
  loseData(): Promise<void>;
  /** Fails if anything but the outbox is left, then gives everything back. */
  close(): Promise<void>;
}
