import { Client } from './client.ts';

/** How two clients become partners: by searching, as Passerby's users do, or by telling a server that has no such thing. */
export type Pairing = 'search' | 'tell';

const textLength = 60;

/** Two clients who are partners. What either gets is checked: the right text, once, in order. */
export class PairOfClients {
  readonly #name: string;
  readonly #clients: readonly [Client, Client];
  readonly #sent: [number, number] = [0, 0];
  readonly #received: [number, number] = [0, 0];
  /** Told when a message is sent, and by whom. */
  onSend: (from: 0 | 1) => void = () => {};
  /** Told of each message that arrived, and who it came from. */
  onMessage: (from: 0 | 1) => void = () => {};
  /** Told when a client gets what it should not get. */
  onFault: (error: Error) => void = () => {};

  private constructor(name: string, clients: readonly [Client, Client]) {
    this.#name = name;
    this.#clients = clients;
    for (const side of [0, 1] as const) {
      const from = side === 0 ? 1 : 0;
      clients[side].on('message', ({ message }: { message: string }) => this.#hear(from, message));
      for (const event of ['error', 'partner_left', 'closed']) {
        clients[side].on(event, (what: unknown) => {
          this.onFault(new Error(`A client got ${event}: ${JSON.stringify(what)}`));
        });
      }
    }
  }

  /** Connects a client to each of two ports and makes them partners. With `search`, nobody else may be searching. */
  static async connect(name: string, ports: readonly [number, number], pairing: Pairing): Promise<PairOfClients> {
    const [a, b] = await Promise.all([Client.connect(ports[0]), Client.connect(ports[1])]);
    if (pairing === 'search') await search(a, b);
    else {
      const room = `pair-${name}`;
      await Promise.all([
        a.ask('pair', { socketId: b.id, port: ports[1], room }),
        b.ask('pair', { socketId: a.id, port: ports[0], room }),
      ]);
    }
    return new PairOfClients(name, [a, b]);
  }

  /** Sends the next message of one side to the other. */
  send(from: 0 | 1): void {
    this.#sent[from] += 1;
    this.onSend(from);
    this.#clients[from].emit('message', { message: this.#text(from, this.#sent[from]) });
  }

  close(): void {
    this.onFault = () => {};
    for (const client of this.#clients) client.close();
  }

  #hear(from: 0 | 1, message: string): void {
    this.#received[from] += 1;
    const due = this.#text(from, this.#received[from]);
    if (message === due) this.onMessage(from);
    else this.onFault(new Error(`A client got "${message}" when "${due}" was due.`));
  }

  #text(from: 0 | 1, number: number): string {
    return `${`pair ${this.#name}, side ${from}, message ${number} `.padEnd(textLength - 1, 'abcdefghi ')}.`;
  }
}

async function search(a: Client, b: Client): Promise<void> {
  const matched = (client: Client) =>
    new Promise<string>(resolve => {
      client.on('matched', ({ sessionId }: { sessionId: string }) => resolve(sessionId));
    });
  const both = Promise.all([matched(a), matched(b)]);
  await a.ask('search');
  await b.ask('search');
  const [first, second] = await both;
  if (first !== second) throw new Error('Two clients were paired with others than each other.');
}
