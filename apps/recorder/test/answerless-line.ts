import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a client and PostgreSQL, and can lose the answer to a write. */
export class AnswerlessLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #databaseUrl: string;
  /** While it is set, the answer to each write is lost, and the connection with it. The write itself is committed. */
  isLosing = false;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
    const { hostname, port } = new URL(databaseUrl);
    this.#server = createServer(client => {
      const postgres = connect(Number(port), hostname);
      for (const socket of [client, postgres]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          postgres.destroy();
        });
      }
      client.pipe(postgres);
      postgres.on('data', data => {
        // PostgreSQL sends this after the commit.
        if (this.isLosing && data.includes('INSERT 0 ')) client.destroy();
        else client.write(data);
      });
    });
  }

  /** @returns the address of the database through this line */
  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const url = new URL(this.#databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
