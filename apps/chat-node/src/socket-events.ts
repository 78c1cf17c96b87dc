import { ChatError, type ChatService, carryOut } from '@passerby/core';
import { type Ack, type Command, parseCommand } from '@passerby/protocol';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';
import type { RateLimits } from './rate-limits.ts';
import { sendEvent } from './send-event.ts';
import type { ChatSocket } from './socket-server.ts';

/** Events of a connection that wait until it has joined. */
const mostWaiting = 20;
/** How long joining may take when it takes long, in ms: whoever sends too much meanwhile may try again then. */
const joiningMs = 1000;

export interface SocketEventsOptions {
  service: ChatService;
  limits: RateLimits;
  metrics: Metrics;
  log: Logger;
  maxMessageCharacters: number;
}

/** Who a connection is, and where it comes from. */
export interface Joining {
  /** The user's id, once it is known: a few events wait for it, and more are refused. */
  joined: Promise<string>;
  address: string;
}

/**
 * Carries out what the client of a user sends, and answers everything: through the acknowledgement if the client asked
 * for one, else with an `error` event if it failed.
 */
export function handleSocketEvents(socket: ChatSocket, joining: Joining, options: SocketEventsOptions): void {
  const events = new SocketEvents(socket, joining, options);
  // Not `on`: this also sees the events that nobody expects. And no event goes on from here to the socket's own
  // listeners, where one named `error` would throw.
  socket.use(event => events.receive(event));
}

/** One object for each connection, and not a closure for each thing that it does: there are many idle ones. */
class SocketEvents {
  readonly #socket: ChatSocket;
  readonly #joining: Joining;
  readonly #options: SocketEventsOptions;
  #user: string | undefined;
  #waiting = 0;

  constructor(socket: ChatSocket, joining: Joining, options: SocketEventsOptions) {
    this.#socket = socket;
    this.#joining = joining;
    this.#options = options;
    joining.joined.then(
      userId => {
        this.#user = userId;
      },
      () => undefined,
    );
  }

  receive(packet: [event: string, ...args: unknown[]]): void {
    const [event, first] = packet;
    const last = packet.at(-1);
    const acknowledge = typeof last === 'function' ? (last as (reply: Ack<object>) => void) : undefined;
    const input = first === acknowledge ? undefined : first;
    this.#obey(event, input).then(
      reply => this.#answer(acknowledge, { ok: true, ...reply() }),
      error => this.#answer(acknowledge, { ok: false, error: describeError(error, this.#options.log) }),
    );
  }

  /** First of all the limits: what goes beyond them costs next to nothing. */
  async #obey(event: string, input: unknown): Promise<() => object> {
    const { service } = this.#options;
    const user = this.#user;
    if (user !== undefined) {
      this.#count(event, user);
      return carryOut(service, user, this.#parse(event, input));
    }
    if (this.#waiting >= mostWaiting) throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: joiningMs });
    this.#waiting++;
    const command = this.#parse(event, input);
    // Not awaited here: a function that waits keeps its arguments, and these may be as large as a packet.
    return this.#joining.joined.then(userId => {
      this.#count(event, userId);
      return carryOut(service, userId, command);
    });
  }

  #parse(event: string, input: unknown): Command {
    return parseCommand(event, input, this.#options.maxMessageCharacters);
  }

  #count(event: string, userId: string): void {
    this.#options.limits[limitOf(event)](userId, this.#joining.address);
  }

  #answer(acknowledge: ((reply: Ack<object>) => void) | undefined, reply: Ack<object>): void {
    if (!reply.ok) this.#options.metrics.errorSent(reply.error.code);
    if (acknowledge) acknowledge(reply);
    else if (reply.ok) return;
    else {
      const { message: text, ...details } = reply.error;
      sendEvent(this.#socket, 'error', text, details);
    }
  }
}

/** Which limit an event counts for. */
function limitOf(event: string): 'message' | 'receipt' | 'typing' | 'request' {
  if (event === 'message' || event === 'typing') return event;
  return event === 'received' ? 'receipt' : 'request';
}

/** What a client may be told of an error. One that nobody expects goes to the log. */
export function describeError(error: unknown, log: Logger): Extract<Ack<object>, { ok: false }>['error'] {
  const known = error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
  if (known !== error) log.error({ err: error }, 'An event of a client failed.');
  const { code, message: text, retryAfterMs } = known;
  return { code, message: text, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
