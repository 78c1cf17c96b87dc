import type { NodeBus, NodeListener, NodeMessage, RoutedMessage } from '../chat/node-bus.ts';

/** A place where nodes of one process listen, and through which memory stores notify them. */
export class MemoryChannels {
  readonly #listeners = new Map<string, NodeListener>();

  listen(nodeId: string, listener: NodeListener): void {
    this.#listeners.set(nodeId, listener);
  }

  close(nodeId: string): void {
    this.#listeners.delete(nodeId);
  }

  send(nodeId: string, message: NodeMessage): boolean {
    const listener = this.#listeners.get(nodeId);
    listener?.receive(structuredClone(message));
    return listener !== undefined;
  }
}

/** The model of {@link NodeBus}: delivers at once, within the process, and misses nothing. */
export class MemoryNodeBus implements NodeBus {
  readonly #channels: MemoryChannels;
  #nodeId: string | undefined;

  constructor(channels: MemoryChannels) {
    this.#channels = channels;
  }

  async listen(nodeId: string, listener: NodeListener): Promise<void> {
    if (this.#nodeId) this.#channels.close(this.#nodeId);
    this.#nodeId = nodeId;
    this.#channels.listen(nodeId, listener);
  }

  async send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    return this.#channels.send(nodeId, message);
  }
}
