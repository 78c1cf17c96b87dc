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
  readonly #draw: () => ChatNode | undefined;

  private constructor(proxy: FaultProxy, last: { node: string }, draw: () => ChatNode | undefined) {
    this.#proxy = proxy;
    this.#last = last;
    this.#draw = draw;
  }

  static async open(nodes: readonly ChatNode[], random: Random): Promise<Door> {
    const last = { node: '' };
    const draw = () => {
      const ready = nodes.filter(node => node.ready);
      return ready.length === 0 ? undefined : random.pick(ready);
    };
    const proxy = await FaultProxy.listen(() => {
      const node = draw();
      if (node) last.node = node.program.incarnation;
      return node?.port;
    });
    return new Door(proxy, last, draw);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#proxy.port}`;
  }

  /** Another way in, as somebody elsewhere has it: the address of a ready node, if there is one. */
  get elsewhere(): string | undefined {
    return this.#draw()?.url;
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
