import { ChatError, type ChatService } from '@passerby/core';
import { type Ack, isSearchOptions, parseMessage, parseNumbering, parseReceipt } from '@passerby/protocol';
import type { Logger } from 'pino';
import { cutOffIfStalled } from './cut-off-if-stalled.ts';
import type { Metrics } from './metrics.ts';
import type { RateLimits } from './rate-limits.ts';
import type { ChatSocket } from './socket-server.ts';

export interface SocketEventsOptions {
  service: ChatService;
  limits: RateLimits;
  metrics: Metrics;
  log: Logger;
  maxMessageCharacters: number;
}

/** Who a connection is, and where it comes from. */
export interface Joining {
  /** The user's id, once it is known: events wait for it. */
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

  const message = async (input: unknown): Promise<() => object> => {
    const userId = await joined;
    await limits.message(userId, address);
    const text = parseMessage(input, maxMessageCharacters);
    if (text === undefined) throw new ChatError('INVALID_MESSAGE');
    const { id, at } = await service.send(userId, text, parseNumbering(input));
    return () => ({ id, at });
  };

  const received = async (input: unknown): Promise<() => object> => {
    const userId = await joined;
    await limits.receipt(userId);
    const receipt = parseReceipt(input);
    if (!receipt) throw new ChatError('INVALID_INPUT');
    await service.acknowledge(userId, receipt);
    return () => ({});
  };

  const request = async (event: string, input: unknown): Promise<() => object> => {
    const userId = await joined;
    await limits.request(userId, address);
    switch (event) {
      case 'search':
        if (!isSearchOptions(input)) throw new ChatError('INVALID_INPUT');
        await service.search(userId);
        break;
      case 'skip':
        await service.skip(userId);
        break;
      case 'end_chat':
        await service.endChat(userId);
        break;
      default:
        throw new ChatError('UNKNOWN_EVENT');
    }
    // Read in the moment of the answer: a match may come first, and `waiting` after `matched` would mislead the client.
    return () => service.stateOf(userId);
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

  const carryOut = (event: string, input: unknown): Promise<() => object> => {
    if (event === 'message') return message(input);
    if (event === 'received') return received(input);
    return request(event, input);
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

/** What a client may be told of an error. One that nobody expects goes to the log. */
export function describeError(error: unknown, log: Logger): Extract<Ack<object>, { ok: false }>['error'] {
  const known = error instanceof ChatError ? error : new ChatError('UNAVAILABLE', { cause: error });
  if (known !== error) log.error({ err: error }, 'An event of a client failed.');
  const { code, message: text, retryAfterMs } = known;
  return { code, message: text, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
