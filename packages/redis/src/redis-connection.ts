import type { Log } from '@passerby/core';
import { Redis } from 'ioredis';

const pingEveryMs = 1000;
/** A command that gets no answer for this long ends its connection; longer than the commands that wait on purpose. */
const silenceMs = 3000;

export interface RedisConnectionOptions {
  url: string;
  /** What the connection is for, in `CLIENT LIST` and in the log. */
  role: string;
  log: Log;
  /** How long a command may take, in ms; longer than the blocking ones among them wait. Left out for subscribers. */
  commandTimeoutMs?: number;
}

/**
 * A connection that comes back by itself and fails fast meanwhile: while Redis cannot be reached a command is rejected at
 * once, and none is ever sent a second time without its caller's knowledge. Whoever subscribes does so again at each `ready`.
 * Close it with `disconnect()`.
 */
export function connectRedis({ url, role, log, commandTimeoutMs }: RedisConnectionOptions): Redis {
  let away = false;
  let isReplica = false;
  const redis = new Redis(url, {
    connectionName: `passerby-${role}`,
    enableAutoPipelining: true,
    // What many wait for goes together already, and at once: the next pipeline of the library begins only when all of this one
    // is answered, so that this process and Redis would take turns.
    autoPipeliningIgnoredCommands: ['searchPartner', 'leaveChat'],
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // The library catches nothing when it subscribes again and the connection is lost once more: that ends the process.
    autoResubscribe: false,
    ...endsWhenSilent,
    retryStrategy: reconnectDelayMs,
    // A replica refuses to write. After a failover, the name leads to the new primary. Once for each connection: the library
    // ends it again, with a timer and a listener more, for each of the many commands that are refused at the same time.
    reconnectOnError: error => {
      const isNews = error.message.startsWith('READONLY') && !isReplica;
      isReplica ||= isNews;
      return isNews;
    },
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
  });
  noticeSilence(redis);
  redis.on('close', () => {
    isReplica = false;
  });
  redis.on('error', error => {
    if (!away) log.warn({ role, err: error }, 'Redis cannot be reached. Trying again until it can.');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info({ role }, 'Redis can be reached again.');
    away = false;
  });
  return redis;
}

/** What a connection needs besides, so that it ends when it is dead without a sign: see {@link noticeSilence}. */
export const endsWhenSilent = { connectTimeout: 5000, socketTimeout: silenceMs } as const;

/** Asks a connection again and again, so that it is found out when there are no answers any more. */
export function noticeSilence(redis: Redis): void {
  const pings = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => undefined);
  }, pingEveryMs);
  pings.unref();
  redis.on('end', () => clearInterval(pings));
}

/** Waits between attempts to connect: 0.2 s, then twice as long each time up to 1 s, with jitter. */
export function reconnectDelayMs(attempts: number): number {
  return Math.min(100 * 2 ** attempts, 1000) * (0.75 + Math.random() / 2);
}

/** Resolves when a connection can be used, or is closed for good, or after `withinMs`, whichever comes first. */
export async function whenReady(redis: Redis, withinMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, withinMs);
    const settle = () => {
      clearTimeout(timer);
      resolve();
    };
    redis.once('ready', settle);
    redis.once('end', settle);
  });
}
