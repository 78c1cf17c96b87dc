import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Ack, ClientEvents, ErrorCode, ServerEvents, StateReply } from '@passerby/protocol';
import { Server, type Socket } from 'socket.io';

type ChatSocket = Socket<ClientEvents, ServerEvents>;

/** A chat server without any care: pairs whoever searches, relays, and counts. */
export class LittleChatServer {
  url = '';
  searches = 0;
  readonly #http = createServer();
  readonly #io: Server<ClientEvents, ServerEvents>;
  readonly #partners = new Map<ChatSocket, ChatSocket>();
  readonly #all = new Set<ChatSocket>();
  readonly #matching: NonNullable<LittleChatServerOptions['matching']>;
  readonly #relay: NonNullable<LittleChatServerOptions['relay']>;
  #waiting: ChatSocket | undefined;
  #sessions = 0;
  #messages = 0;

  private constructor(options: LittleChatServerOptions) {
    this.#matching = options.matching ?? {};
    this.#relay = options.relay ?? ((_message, deliver) => deliver());
    this.#io = new Server(this.#http);
    const { refusal } = options;
    if (refusal) {
      this.#io.use((_socket, next) => next(Object.assign(new Error('No'), { data: { code: refusal } })));
    }
    this.#io.on('connection', socket => {
      this.#all.add(socket);
      socket.on('disconnect', () => this.#all.delete(socket));
      socket.on('search', (_options, acknowledge) => this.#search(socket, acknowledge));
      socket.on('message', (input, acknowledge) => {
        const message = (input as { message: string }).message;
        const [id, at] = [String(this.#messages), Date.now()];
        const payload = { id, message, at };
        const partner = this.#partners.get(socket);
        const stranger = [...this.#all].find(each => each !== socket && each !== partner);
        this.#messages += 1;
        let answers = true;
        this.#relay(this.#messages, () => partner?.emit('message', payload), {
          stranger: () => stranger?.emit('message', payload),
          silence: () => {
            answers = false;
          },
        });
        if (answers) acknowledge?.({ ok: true, id, at });
      });
    });
  }

  static async start(options: LittleChatServerOptions = {}): Promise<LittleChatServer> {
    const server = new LittleChatServer(options);
    await once(server.#http.listen(0, '127.0.0.1'), 'listening');
    server.url = `http://127.0.0.1:${(server.#http.address() as AddressInfo).port}`;
    return server;
  }

  close(): Promise<void> {
    return this.#io.close();
  }

  #search(socket: ChatSocket, acknowledge?: (reply: Ack<StateReply>) => void): void {
    this.searches += 1;
    const { pairs = true, tellsBoth = true, answers = true } = this.#matching;
    const partner = pairs ? this.#waiting : undefined;
    if (partner) {
      this.#waiting = undefined;
      this.#partners.set(socket, partner).set(partner, socket);
      this.#sessions += 1;
      const matched = { sessionId: `session-${this.#sessions}`, startedAt: Date.now() };
      socket.emit('matched', matched);
      if (tellsBoth) partner.emit('matched', matched);
    } else this.#waiting = socket;
    if (answers) acknowledge?.({ ok: true, state: partner ? 'paired' : 'waiting' });
  }
}

export interface LittleChatServerOptions {
  /** Lets nobody in, with this code. */
  refusal?: ErrorCode;
  /** What it does about a search, by default all of it. */
  matching?: { pairs?: boolean; tellsBoth?: boolean; answers?: boolean };
  /**
   * Called for each message with its number among all, from 1, and what delivers it to the partner, or to a stranger, or keeps
   * its sender without an answer. By default it is delivered to the partner.
   */
  relay?: (message: number, deliver: () => void, or: { stranger: () => void; silence: () => void }) => void;
}
