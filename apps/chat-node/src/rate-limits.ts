import { ChatError } from '@passerby/core';
import type { ErrorCode } from '@passerby/protocol';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from './config.ts';
import { WindowCounter } from './window-counter.ts';

type Limit = Config['LIMIT_USER_MESSAGES'];

/** How often a user, and all users of an address together, may do things. */
export interface RateLimits {
  /** Counts a `message` event. Throws `TOO_MANY_MESSAGES`. */
  message(userId: string, address: string): void;
  /** Counts a `received` event. Throws `TOO_MANY_REQUESTS`. */
  receipt(userId: string, address: string): void;
  /** Counts any other event. Throws `TOO_MANY_REQUESTS`. */
  request(userId: string, address: string): void;
  /** Counts a `typing` event. Throws `TOO_MANY_REQUESTS`. */
  typing(userId: string, address: string): void;
  /** Counts a user's resuming. Rejects with `TOO_MANY_REQUESTS`. */
  resume(userId: string): Promise<void>;
  /** Counts a new connection. Rejects with `TOO_MANY_CONNECTIONS`. */
  connection(address: string): Promise<void>;
}

/**
 * Users and their messages are counted on their node, in memory: no message waits for Redis. Connections and resumes are
 * counted in Redis, for all nodes together, and in memory while Redis cannot be reached.
 */
export function rateLimits(config: Config, redis: Redis): RateLimits {
  if (config.RATE_LIMITS === 'off') {
    const allowed = () => undefined;
    const admitted = () => Promise.resolve();
    const counted = { message: allowed, receipt: allowed, typing: allowed, request: allowed };
    return { ...counted, resume: admitted, connection: admitted };
  }
  const userMessages = new WindowCounter(config.LIMIT_USER_MESSAGES);
  const userRequests = new WindowCounter(config.LIMIT_USER_REQUESTS);
  const addressMessages = new WindowCounter(config.LIMIT_ADDRESS_MESSAGES);
  const addressRequests = new WindowCounter(config.LIMIT_ADDRESS_REQUESTS);
  // A client acknowledges a message at most once, and seldom each one by itself.
  const userReceipts = new WindowCounter(config.LIMIT_USER_MESSAGES);
  // Apart from them, so that whoever types a lot can still receive.
  const userTyping = new WindowCounter(config.LIMIT_USER_MESSAGES);
  const addressReceipts = new WindowCounter(config.LIMIT_ADDRESS_MESSAGES);
  const addressTyping = new WindowCounter(config.LIMIT_ADDRESS_MESSAGES);
  const inRedis = (name: string, limit: Limit) =>
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${config.REDIS_PREFIX}:limit:${name}`,
      points: limit.points,
      duration: limit.seconds,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory({ points: limit.points, duration: limit.seconds }),
    });
  const connections = inRedis('connections', config.LIMIT_ADDRESS_CONNECTIONS);
  const resumes = inRedis('resumes', config.LIMIT_USER_RESUMES);
  return {
    message(userId, address) {
      count(userMessages, userId, 'TOO_MANY_MESSAGES');
      count(addressMessages, address, 'TOO_MANY_MESSAGES');
    },
    receipt(userId, address) {
      count(userReceipts, userId, 'TOO_MANY_REQUESTS');
      count(addressReceipts, address, 'TOO_MANY_REQUESTS');
    },
    typing(userId, address) {
      count(userTyping, userId, 'TOO_MANY_REQUESTS');
      count(addressTyping, address, 'TOO_MANY_REQUESTS');
    },
    request(userId, address) {
      count(userRequests, userId, 'TOO_MANY_REQUESTS');
      count(addressRequests, address, 'TOO_MANY_REQUESTS');
    },
    resume: userId => consume(resumes, userId, 'TOO_MANY_REQUESTS'),
    connection: address => consume(connections, address, 'TOO_MANY_CONNECTIONS'),
  };
}

function count(counter: WindowCounter, key: string, code: ErrorCode): void {
  const retryAfterMs = counter.count(key);
  if (retryAfterMs > 0) throw new ChatError(code, { retryAfterMs });
}

async function consume(limiter: RateLimiterRedis, key: string, code: ErrorCode): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (rejection) {
    if (!(rejection instanceof RateLimiterRes)) throw rejection;
    throw new ChatError(code, { retryAfterMs: rejection.msBeforeNext });
  }
}
