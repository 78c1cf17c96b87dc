import { ChatError, type ChatService } from '@passerby/core';
import {
  type Ack,
  type ErrorCode,
  isSearchOptions,
  parseMessage,
  parsePlace,
  parseReceipt,
  parseTyping,
} from '@passerby/protocol';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';
import type { RateLimits } from './rate-limits.ts';
import { sendEvent } from './send-event.ts';
import type { ChatSocket } from './socket-server.ts';

/** Events of a connection that wait until it has joined. */
const mostWaiting = 20;
/** How long joining may take when it takes long, in ms: whoever sends too much meanwhile may try again then. */
const joiningMs = 1000;

/** What an event asks for, on behalf of a user. Answers with what makes the reply. */
type Action = (userId: string) => Promise<() => object>;

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
    this.#carryOut(event, input).then(
      reply => this.#answer(acknowledge, { ok: true, ...reply() }),
      error => this.#answer(acknowledge, { ok: false, error: describeError(error, this.#options.log) }),
    );
  }

  async #carryOut(event: string, input: unknown): Promise<() => object> {
    const kind = kindOf(event);
    const user = this.#user;
    if (user !== undefined) {
      // First of all: what goes beyond the limits costs next to nothing.
      this.#options.limits[kind](user, this.#joining.address);
      return this.#understand(event, input)(user);
    }
    if (this.#waiting >= mostWaiting) throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: joiningMs });
    this.#waiting++;
    const action = this.#understand(event, input);
    // Not awaited here: a function that waits keeps its arguments, and these may be a megabyte.
    return this.#joining.joined.then(userId => {
      this.#options.limits[kind](userId, this.#joining.address);
      return action(userId);
    });
  }

  /** What is to be done for an event. Keeps nothing of the input but what is clean: it may have to wait. */
  #understand(event: string, input: unknown): Action {
    const { service } = this.#options;
    switch (event) {
      case 'message':
        return this.#message(input);
      case 'received':
        return this.#received(input);
      case 'typing':
        return this.#typing(input);
      case 'search':
        return this.#request(isSearchOptions(input) ? userId => service.search(userId) : () => fail('INVALID_INPUT'));
      case 'skip':
        return this.#leaving(input, (userId, sessionId) => service.skip(userId, sessionId));
      case 'end_chat':
        return this.#leaving(input, (userId, sessionId) => service.endChat(userId, sessionId));
      default:
        return this.#request(() => fail('UNKNOWN_EVENT'));
    }
  }

  #message(input: unknown): Action {
    const { service, maxMessageCharacters } = this.#options;
    const text = parseMessage(input, maxMessageCharacters);
    const place = parsePlace(input);
    return async userId => {
      if (text === undefined) throw new ChatError('INVALID_MESSAGE');
      if (!place) throw new ChatError('INVALID_INPUT');
      const { id, at } = await service.send(userId, text, place);
      return () => ({ id, at });
    };
  }

  #received(input: unknown): Action {
    const { service } = this.#options;
    const receipt = parseReceipt(input);
    return async userId => {
      if (!receipt) throw new ChatError('INVALID_INPUT');
      await service.acknowledge(userId, receipt);
      return () => ({});
    };
  }

  #typing(input: unknown): Action {
    const { service } = this.#options;
    const notice = parseTyping(input);
    return async userId => {
      if (!notice) throw new ChatError('INVALID_INPUT');
      await service.tellTyping(userId, notice);
      return () => ({});
    };
  }

  #leaving(input: unknown, leave: (userId: string, sessionId: string | undefined) => Promise<void>): Action {
    const place = parsePlace(input);
    return this.#request(userId => (place ? leave(userId, place.sessionId) : fail('INVALID_INPUT')));
  }

  #request(run: (userId: string) => Promise<void>): Action {
    const { service } = this.#options;
    return async userId => {
      await run(userId);
      // Read in the moment of the answer: a match may come first, and `waiting` after `matched` would mislead the client.
      return () => service.stateOf(userId);
    };
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
function kindOf(event: string): 'message' | 'receipt' | 'typing' | 'request' {
  if (event === 'message' || event === 'typing') return event;
  return event === 'received' ? 'receipt' : 'request';
}

async function fail(code: ErrorCode): Promise<never> {
  throw new ChatError(code);
}

/** What a client may be told of an error. One that nobody expects goes to the log. */
export function describeError(error: unknown, log: Logger): Extract<Ack<object>, { ok: false }>['error'] {
  const known = error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
  if (known !== error) log.error({ err: error }, 'An event of a client failed.');
  const { code, message: text, retryAfterMs } = known;
  return { code, message: text, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
