import { ChatError, type ChatService, type Clients, carryOut } from '@passerby/core';
import { type Ack, errorTexts, parseCommand, parseHandshake, type ServerEvents } from '@passerby/protocol';
import type { ServerEnd, SimulatedLine } from './simulated-line.ts';

const mostWaiting = 20;
const maxCharacters = 500;

/** What stands between connections and the rules in a node: who is whose, and what an event asks for. No limits. */
export class SimulatedFront implements Clients {
  readonly #sockets = new Map<string, SimulatedLine>();
  readonly #closing = new Map<string, SimulatedLine>();
  readonly #complain: (text: string) => void;
  /** Set when the rules are there. */
  service: ChatService | undefined;
  /** All that is connected. */
  readonly #all = new Set<SimulatedLine>();
  /** How many questions have no answer yet. */
  open = 0;

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  /** Whose connections are here. */
  get users(): ReadonlyMap<string, SimulatedLine> {
    return this.#sockets;
  }

  accept(line: SimulatedLine, auth: object): ServerEnd {
    const { service } = this;
    if (!service) throw new Error('The node is not there yet.');
    this.#all.add(line);
    const joined = this.#join(service, line, auth);
    let user: string | undefined;
    let waiting = 0;
    joined.then(
      userId => {
        user = userId;
      },
      error => line.refuse(this.#describe(error)),
    );
    return {
      received: (event, input, acknowledge) => {
        this.open++;
        const obey = async (): Promise<() => object> => {
          const command = parseCommand(event, input, maxCharacters);
          if (user !== undefined) return carryOut(service, user, command);
          if (++waiting > mostWaiting) throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: 1000 });
          return carryOut(service, await joined, command);
        };
        obey().then(
          reply => {
            this.open--;
            acknowledge({ ok: true, ...reply() });
          },
          error => {
            this.open--;
            acknowledge({ ok: false, error: this.#describe(error) });
          },
        );
      },
      ponged: () => {
        try {
          if (user !== undefined) service.heard(user);
        } catch (error) {
          this.#describe(error);
        }
      },
      closed: how => {
        this.#all.delete(line);
        joined.then(
          async userId => {
            if (this.#detach(userId, line)) await service.disconnect(userId, how);
          },
          () => undefined,
        );
      },
    };
  }

  emit<Event extends keyof ServerEvents>(userId: string, event: Event, ...args: Parameters<ServerEvents[Event]>): void {
    this.#sockets.get(userId)?.emit(event, args);
  }

  close(userId: string): void {
    this.#sockets.get(userId)?.closeFromServer();
  }

  replace(userId: string): void {
    const line = this.#sockets.get(userId);
    this.#sockets.delete(userId);
    if (line) replaceLine(line);
  }

  closeAll(inChat: readonly string[]): void {
    const first = inChat.flatMap(userId => this.#sockets.get(userId) ?? []);
    const lines = [...new Set([...first, ...this.#all])];
    for (const [userId, line] of this.#sockets) this.#closing.set(userId, line);
    this.#sockets.clear();
    for (const line of lines) line.closeFromServer();
  }

  #attach(userId: string, line: SimulatedLine): void {
    if (this.#sockets.get(userId) !== line) this.replace(userId);
    const closing = this.#closing.get(userId);
    if (closing && closing !== line) replaceLine(closing);
    this.#sockets.set(userId, line);
  }

  #detach(userId: string, line: SimulatedLine): boolean {
    if (this.#closing.get(userId) === line) this.#closing.delete(userId);
    return this.#sockets.get(userId) === line && this.#sockets.delete(userId);
  }

  async #join(service: ChatService, line: SimulatedLine, auth: object): Promise<string> {
    const { resume } = parseHandshake(auth);
    if (resume === undefined) {
      service.connect(line.id);
      this.#attach(line.id, line);
      return line.id;
    }
    return service.resume(line.id, resume === true ? undefined : resume, {
      attach: userId => this.#attach(userId, line),
      isOpen: () => line.isOpen,
    });
  }

  #describe(error: unknown): Extract<Ack<object>, { ok: false }>['error'] {
    const known = error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
    if (known !== error) this.#complain(`An event failed: ${(error as Error).stack}`);
    const { code, message, retryAfterMs } = known;
    return { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

function replaceLine(line: SimulatedLine): void {
  line.emit('error', [errorTexts.REPLACED, { code: 'REPLACED' }]);
  line.dismiss();
}
