import { ChatError, type ChatService } from '@passerby/core';
import {
  type Ack,
  type ErrorCode,
  isSearchOptions,
  parseMessage,
  parseNumbering,
  parseReceipt,
  parseTyping,
} from '@passerby/protocol';
import type { Logger } from 'pino';
import { cutOffIfStalled } from './cut-off-if-stalled.ts';
import type { Metrics } from './metrics.ts';
import type { RateLimits } from './rate-limits.ts';
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
export function handleSocketEvents(
  socket: ChatSocket,
  { joined, address }: Joining,
  options: SocketEventsOptions,
): void {
  const { service, limits, metrics, log, maxMessageCharacters } = options;

  let user: string | undefined;
  let waiting = 0;
  joined.then(
    userId => {
      user = userId;
    },
    () => undefined,
  );

  const message = (input: unknown): Action => {
    const text = parseMessage(input, maxMessageCharacters);
    const numbering = parseNumbering(input);
    return async userId => {
      await limits.message(userId, address);
      if (text === undefined) throw new ChatError('INVALID_MESSAGE');
      const { id, at } = await service.send(userId, text, numbering);
      return () => ({ id, at });
    };
  };

  const received = (input: unknown): Action => {
    const receipt = parseReceipt(input);
    return async userId => {
      await limits.receipt(userId);
      if (!receipt) throw new ChatError('INVALID_INPUT');
      await service.acknowledge(userId, receipt);
      return () => ({});
    };
  };

  const typing = (input: unknown): Action => {
    const notice = parseTyping(input);
    return async userId => {
      await limits.typing(userId);
      if (!notice) throw new ChatError('INVALID_INPUT');
      await service.tellTyping(userId, notice);
      return () => ({});
    };
  };

  const request = (run: (userId: string) => Promise<void>): Action => {
    return async userId => {
      await limits.request(userId, address);
      await run(userId);
      // Read in the moment of the answer: a match may come first, and `waiting` after `matched` would mislead the client.
      return () => service.stateOf(userId);
    };
  };

  /** What is to be done for an event. Keeps nothing of the input but what is clean: it may have to wait. */
  const understand = (event: string, input: unknown): Action => {
    switch (event) {
      case 'message':
        return message(input);
      case 'received':
        return received(input);
      case 'typing':
        return typing(input);
      case 'search':
        return request(isSearchOptions(input) ? userId => service.search(userId) : () => fail('INVALID_INPUT'));
      case 'skip':
        return request(userId => service.skip(userId));
      case 'end_chat':
        return request(userId => service.endChat(userId));
      default:
        return request(() => fail('UNKNOWN_EVENT'));
    }
  };

  const carryOut = async (event: string, input: unknown): Promise<() => object> => {
    if (user !== undefined) return understand(event, input)(user);
    if (waiting >= mostWaiting) throw new ChatError('TOO_MANY_REQUESTS', { retryAfterMs: joiningMs });
    waiting++;
    // Not awaited here: a function that waits keeps its arguments, and these may be a megabyte.
    return joined.then(understand(event, input));
  };

  const answer = (acknowledge: ((reply: Ack<object>) => void) | undefined, reply: Ack<object>): void => {
    if (!reply.ok) metrics.errorSent(reply.error.code);
    if (acknowledge) acknowledge(reply);
    else if (!reply.ok) {
      const { message: text, ...details } = reply.error;
      socket.emit('error', text, details);
    }
    cutOffIfStalled(socket);
  };

  // Not one listener for each event: this one also sees the events that nobody expects.
  socket.onAny((event: string, ...args: unknown[]) => {
    const last = args.at(-1);
    const acknowledge = typeof last === 'function' ? (last as (reply: Ack<object>) => void) : undefined;
    const input = args[0] === acknowledge ? undefined : args[0];
    carryOut(event, input).then(
      reply => answer(acknowledge, { ok: true, ...reply() }),
      error => answer(acknowledge, { ok: false, error: describeError(error, log) }),
    );
  });
  // An emitter throws when nobody listens to this name, and a client may send it like any other.
  socket.on('error' as never, (() => undefined) as never);
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
