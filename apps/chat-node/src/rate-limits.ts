import { ChatError } from '@passerby/core';
import type { ErrorCode } from '@passerby/protocol';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from './config.ts';
import type { PacketLimits } from './packet-budget.ts';
import { TokenBuckets } from './token-buckets.ts';

type Limit = Config['LIMIT_USER_MESSAGES'];

/** A user who has done less than this share of what a user may do is not refused for what others of the address do. */
const modestShare = 1 / 3;
/** What a message has besides its text, in bytes, at the most. */
const envelopeBytes = 256;

/** How often a user, a connection, and all that comes from an address, may do things. */
export interface RateLimits {
  /** Counts a `message` event. Throws `TOO_MANY_MESSAGES`. */
  message(userId: string, address: string): void;
  /** Counts a `received` event. Throws `TOO_MANY_REQUESTS`. */
  receipt(userId: string, address: string): void;
  /** Counts any other event. Throws `TOO_MANY_REQUESTS`. */
  request(userId: string, address: string): void;
  /** Counts a `typing` event. Throws `TOO_MANY_REQUESTS`. */
  typing(userId: string, address: string): void;

  /** Counts a new user. Rejects with `TOO_MANY_CONNECTIONS`. */
  newUser(address: string): Promise<void>;
  /** Whether a token of the user's may be looked at. Throws `TOO_MANY_REQUESTS`. */
  mayResume(userId: string): void;
  /** Counts a token that was good, against its user. One that was not made a new user. */
  resumed(userId: string): void;

  /** Counts a TCP connection. @returns for how long to wait, in ms, or 0 */
  tcp(peer: string): number;
  /** Counts an HTTP request that costs as much as `weight` ordinary ones. @returns for how long to wait, in ms, or 0 */
  http(address: string, weight: number): number;
  /** Counts a new Engine.IO connection. @returns for how long to wait, in ms, or 0 */
  handshake(address: string): number;
  /** How many Engine.IO connections an address may have at a time. */
  readonly open: number;
  readonly packets: PacketLimits;
}

/**
 * All is counted on its node, in memory: nothing waits for Redis, and what is refused costs it nothing. New users are then
 * counted in Redis, too, for all nodes together, and in memory alone while Redis cannot be reached.
 */
export function rateLimits(config: Config, redis: Redis): RateLimits {
  const isOn = config.RATE_LIMITS === 'on';
  const buckets = (limit: Limit) => new TokenBuckets(isOn ? limit : { points: Infinity, seconds: limit.seconds });

  /** Counts events of one kind for their user, and for all users of the address together. */
  const events = (ofUser: Limit, ofAddress: Limit, code: ErrorCode) => {
    const [users, addresses] = [buckets(ofUser), buckets(ofAddress)];
    return (userId: string, address: string): void => {
      refuse(code, users.take(userId));
      const waitMs = addresses.take(address);
      if (waitMs > 0 && users.usedMoreThan(userId, modestShare)) refuse(code, waitMs);
    };
  };

  const resumes = buckets(config.LIMIT_USER_RESUMES);
  const connects = buckets(config.LIMIT_ADDRESS_HTTP);
  const requests = buckets(config.LIMIT_ADDRESS_HTTP);
  const handshakes = buckets(config.LIMIT_ADDRESS_HANDSHAKES);
  const newUser = isOn ? countedInRedis(config, redis) : () => Promise.resolve();
  return {
    message: events(config.LIMIT_USER_MESSAGES, config.LIMIT_ADDRESS_MESSAGES, 'TOO_MANY_MESSAGES'),
    request: events(config.LIMIT_USER_REQUESTS, config.LIMIT_ADDRESS_REQUESTS, 'TOO_MANY_REQUESTS'),
    // A client acknowledges a message at most once, and seldom each one by itself. And whoever types a lot can still receive.
    receipt: events(config.LIMIT_USER_MESSAGES, config.LIMIT_ADDRESS_MESSAGES, 'TOO_MANY_REQUESTS'),
    typing: events(config.LIMIT_USER_MESSAGES, config.LIMIT_ADDRESS_MESSAGES, 'TOO_MANY_REQUESTS'),

    newUser,
    mayResume: userId => refuse('TOO_MANY_REQUESTS', resumes.waitMs(userId)),
    // A stranger who shows a wrong token in somebody's name must not use up what that user may do.
    resumed: userId => void resumes.take(userId),

    tcp: peer => connects.take(peer),
    // However few are allowed, a dear one may come now and then.
    http: (address, weight) => requests.take(address, Math.min(weight, config.LIMIT_ADDRESS_HTTP.points)),
    handshake: address => handshakes.take(address),
    open: isOn ? config.LIMIT_ADDRESS_OPEN : Number.POSITIVE_INFINITY,
    packets: {
      points: isOn ? config.LIMIT_CONNECTION_PACKETS.points : Number.POSITIVE_INFINITY,
      seconds: config.LIMIT_CONNECTION_PACKETS.seconds,
      addresses: buckets(config.LIMIT_ADDRESS_PACKETS),
      unitBytes: 4 * config.MAX_MESSAGE_CHARACTERS + envelopeBytes,
    },
  };
}

function countedInRedis(config: Config, redis: Redis): RateLimits['newUser'] {
  const { points, seconds } = config.LIMIT_ADDRESS_CONNECTIONS;
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${config.REDIS_PREFIX}:limit:connections`,
    points,
    duration: seconds,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory({ points, duration: seconds }),
    // Whoever is past the limit costs Redis nothing any more.
    inMemoryBlockOnConsumed: points + 1,
  });
  return async address => {
    try {
      await limiter.consume(address);
    } catch (rejection) {
      if (!(rejection instanceof RateLimiterRes)) throw rejection;
      throw new ChatError('TOO_MANY_CONNECTIONS', { retryAfterMs: rejection.msBeforeNext });
    }
  };
}

function refuse(code: ErrorCode, retryAfterMs: number): void {
  if (retryAfterMs > 0) throw new ChatError(code, { retryAfterMs });
}
