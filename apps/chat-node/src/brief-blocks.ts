import { BlockList, isIPv6, type Server } from 'node:net';

/** Short, as who comes from the same address and does no harm is not let in either, in ms. */
const blockedMs = 100;
/** Node.js compares each connection with all of them. */
const mostBlocked = 64;

/**
 * Has Node.js itself close what comes from a network that was just refused a connection, before anything is made for it: that
 * leaves a third of the CPU time that a flood of connections takes. From Node.js 22.13 on; an older one refuses each by itself.
 */
export class BriefBlocks {
  readonly #server: Server & { blockList?: BlockList | undefined };
  #blocked = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  /** @param network in CIDR notation; anything else is not blocked */
  add(network: string): void {
    const [address = '', bits] = network.split('/');
    if (bits === undefined || this.#blocked >= mostBlocked) return;
    if (this.#blocked++ === 0) {
      this.#server.blockList = new BlockList();
      setTimeout(() => this.#clear(), blockedMs).unref();
    }
    this.#server.blockList?.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  #clear(): void {
    this.#blocked = 0;
    this.#server.blockList = undefined;
  }
}
