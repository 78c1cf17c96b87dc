import { MemoryChannels, type NodeMessage } from '../src/index.ts';

/** Channels on which messages to a node can be held back. Their order stays. */
export class HeldChannels extends MemoryChannels {
  /** What each message waits for, if anything. */
  pace: (() => Promise<unknown>) | undefined;
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #held = new Map<string, NodeMessage[]>();

  /** From now on, what is sent to the node waits. */
  hold(nodeId: string): void {
    this.#held.set(nodeId, []);
  }

  /** Delivers what waits for the node; what is sent later is delivered at once again. */
  release(nodeId: string): void {
    const messages = this.#held.get(nodeId) ?? [];
    this.#held.delete(nodeId);
    for (const message of messages) this.send(nodeId, message);
  }

  override send(nodeId: string, message: NodeMessage): boolean {
    if (this.pace) {
      const tail = this.#tails.get(nodeId) ?? Promise.resolve();
      this.#tails.set(
        nodeId,
        tail.then(this.pace).then(() => super.send(nodeId, message)),
      );
      return true;
    }
    const held = this.#held.get(nodeId);
    if (!held) return super.send(nodeId, message);
    held.push(structuredClone(message));
    return true;
  }
}
