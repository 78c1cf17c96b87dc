import type { ChatNode } from './chat-node.ts';
import { FaultProxy } from './fault-proxy.ts';
import type { Random } from './random.ts';

/**
 * One person's way to the chat: an address of its own, which leads each new connection to a ready node. So we know who is
 * on which node, and can take a connection away from outside, whatever client uses it.
 */
export class Door {
  readonly #proxy: FaultProxy;
  readonly #last: { node: string };

  private constructor(proxy: FaultProxy, last: { node: string }) {
    this.#proxy = proxy;
    this.#last = last;
  }

  static async open(nodes: readonly ChatNode[], random: Random): Promise<Door> {
    const last = { node: '' };
    const proxy = await FaultProxy.listen(() => {
      const ready = nodes.filter(node => node.ready);
      if (ready.length === 0) return undefined;
      const node = random.pick(ready);
      last.node = node.program.incarnation;
      return node.port;
    });
    return new Door(proxy, last);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#proxy.port}`;
  }

  /** The process that the latest connection led to. */
  get node(): string {
    return this.#last.node;
  }

  /** The connections are lost, without a farewell to either side. */
  lose(): void {
    this.#proxy.reset();
  }

  close(): void {
    this.#proxy.close();
  }
}
