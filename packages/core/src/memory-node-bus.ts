import type { NodeBus, NodeMessage, RoutedMessage } from './node-bus.ts';

/** A place where nodes of one process listen, and through which memory stores notify them. */
export class MemoryChannels {
  readonly #receivers = new Map<string, (message: NodeMessage) => void>();

  listen(nodeId: string, receive: (message: NodeMessage) => void): void {
    this.#receivers.set(nodeId, receive);
  }

  close(nodeId: string): void {
    this.#receivers.delete(nodeId);
  }

  send(nodeId: string, message: NodeMessage): boolean {
    const receive = this.#receivers.get(nodeId);
    receive?.(structuredClone(message));
    return receive !== undefined;
  }
}

/** The model of {@link NodeBus}: delivers at once, within the process. */
export class MemoryNodeBus implements NodeBus {
  readonly #channels: MemoryChannels;
  #nodeId: string | undefined;

  constructor(channels: MemoryChannels) {
    this.#channels = channels;
  }

  async listen(nodeId: string, receive: (message: NodeMessage) => void): Promise<void> {
    if (this.#nodeId) this.#channels.close(this.#nodeId);
    this.#nodeId = nodeId;
    this.#channels.listen(nodeId, receive);
  }

  async send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    return this.#channels.send(nodeId, message);
  }
}
