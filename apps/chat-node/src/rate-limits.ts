import { ChatError } from '@passerby/core';
import type { ErrorCode } from '@passerby/protocol';
import type { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from './config.ts';

type Limit = Config['LIMIT_USER_MESSAGES'];

/** How often a user, and all users of an address together, may do things. */
export interface RateLimits {
  /** Counts a `message` event. Rejects with `TOO_MANY_MESSAGES`. */
  message(userId: string, address: string): Promise<void>;
  /** Counts any other event. Rejects with `TOO_MANY_REQUESTS`. */
  request(userId: string, address: string): Promise<void>;
  /** Counts a `received` event. Rejects with `TOO_MANY_REQUESTS`. */
  receipt(userId: string): Promise<void>;
  /** Counts a `typing` event. Rejects with `TOO_MANY_REQUESTS`. */
  typing(userId: string): Promise<void>;
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
    const allowed = () => Promise.resolve();
    return {
      message: allowed,
      request: allowed,
      receipt: allowed,
      typing: allowed,
      resume: allowed,
      connection: allowed,
    };
  }
  const userMessages = inMemory(config.LIMIT_USER_MESSAGES);
  const userRequests = inMemory(config.LIMIT_USER_REQUESTS);
  const addressMessages = inMemory(config.LIMIT_ADDRESS_MESSAGES);
  const addressRequests = inMemory(config.LIMIT_ADDRESS_REQUESTS);
  // A client acknowledges a message at most once, and seldom each one by itself.
  const userReceipts = inMemory(config.LIMIT_USER_MESSAGES);
  // Apart from them, so that whoever types a lot can still receive.
  const userTyping = inMemory(config.LIMIT_USER_MESSAGES);
  const inRedis = (name: string, limit: Limit) =>
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${config.REDIS_PREFIX}:limit:${name}`,
      points: limit.points,
      duration: limit.seconds,
      rejectIfRedisNotReady: true,
      insuranceLimiter: inMemory(limit),
    });
  const connections = inRedis('connections', config.LIMIT_ADDRESS_CONNECTIONS);
  const resumes = inRedis('resumes', config.LIMIT_USER_RESUMES);
  return {
    async message(userId, address) {
      await consume(userMessages, userId, 'TOO_MANY_MESSAGES');
      await consume(addressMessages, address, 'TOO_MANY_MESSAGES');
    },
    async request(userId, address) {
      await consume(userRequests, userId, 'TOO_MANY_REQUESTS');
      await consume(addressRequests, address, 'TOO_MANY_REQUESTS');
    },
    receipt: userId => consume(userReceipts, userId, 'TOO_MANY_REQUESTS'),
    typing: userId => consume(userTyping, userId, 'TOO_MANY_REQUESTS'),
    resume: userId => consume(resumes, userId, 'TOO_MANY_REQUESTS'),
    connection: address => consume(connections, address, 'TOO_MANY_CONNECTIONS'),
  };
}

function inMemory({ points, seconds }: Limit): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: seconds });
}

async function consume(limiter: RateLimiterAbstract, key: string, code: ErrorCode): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (rejection) {
    if (!(rejection instanceof RateLimiterRes)) throw rejection;
    throw new ChatError(code, { retryAfterMs: rejection.msBeforeNext });
  }
}
