import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A node as the balancer sees it: says whether it is ready, opens connections, and tells what it was asked. */
export class StubNode {
  readonly name: string;
  ready = true;
  /** How many requests to `/stuck` wait for an answer. */
  waiting = 0;
  readonly #server: Server;
  #opened = 0;

  private constructor(name: string) {
    this.name = name;
    this.#server = createServer((incoming, outgoing) => {
      const url = new URL(incoming.url ?? '/', 'http://node');
      if (url.pathname === '/readyz') return void outgoing.writeHead(this.ready ? 200 : 503).end();
      if (url.pathname === '/stuck') {
        this.waiting += 1;
        outgoing.once('close', () => {
          this.waiting -= 1;
        });
        return;
      }
      const isHandshake = url.pathname === '/socket.io/' && !url.searchParams.has('sid');
      if (isHandshake) outgoing.setHeader('passerby-sid', `${name}-${++this.#opened}`);
      outgoing.end(JSON.stringify({ node: name, visitor: incoming.headers['x-forwarded-for'] }));
    });
  }

  static async start(name: string): Promise<StubNode> {
    const node = new StubNode(name);
    await once(node.#server.listen(0, '127.0.0.1'), 'listening');
    return node;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise(resolve => this.#server.close(resolve));
  }
}
