import { MemoryChannels, type NodeListener, type NodeMessage } from '../src/index.ts';
import { unavailable } from './held-store.ts';

/** Channels on which messages to a node can be held back. Their order stays. */
export class HeldChannels extends MemoryChannels {
  /** While it is true, nothing that nodes send gets through. */
  broken = false;
  /** What each message waits for, if anything. A rejection loses it. */
  pace: ((nodeId: string) => Promise<unknown>) | undefined;
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #listeners = new Map<string, NodeListener>();
  readonly #held = new Map<string, NodeMessage[]>();

  /** From now on, what is sent to the node waits. */
  hold(nodeId: string): void {
    this.#held.set(nodeId, []);
  }

  /** Delivers what waits for the node; what is sent later is delivered at once again. */
  release(nodeId: string): void {
    const messages = this.#held.get(nodeId) ?? [];
    this.#held.delete(nodeId);
    for (const message of messages) super.send(nodeId, message);
  }

  /** What waits for the node is lost. */
  forget(nodeId: string): void {
    this.#held.delete(nodeId);
  }

  /** The node learns that it may have missed something. */
  miss(nodeId: string): void {
    this.#listeners.get(nodeId)?.missed();
  }

  override listen(nodeId: string, listener: NodeListener): void {
    this.#listeners.set(nodeId, listener);
    super.listen(nodeId, listener);
  }

  override close(nodeId: string): void {
    this.#listeners.delete(nodeId);
    super.close(nodeId);
  }

  override send(nodeId: string, message: NodeMessage): boolean {
    if (this.broken) throw unavailable();
    const { pace } = this;
    if (pace) {
      const paced = pace(nodeId);
      paced.catch(() => undefined);
      const tail = this.#tails.get(nodeId) ?? Promise.resolve();
      this.#tails.set(
        nodeId,
        tail
          .then(() => paced)
          .then(
            () => super.send(nodeId, message),
            () => undefined,
          ),
      );
      return true;
    }
    const held = this.#held.get(nodeId);
    if (!held) return super.send(nodeId, message);
    held.push(structuredClone(message));
    return true;
  }
}
