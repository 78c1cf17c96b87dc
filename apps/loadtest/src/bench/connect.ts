import { Redis } from 'ioredis';

/** A connection to look into a Redis that is measured. That the Redis has gone is told by what was asked of it. */
export function connect(url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 0 });
  redis.on('error', () => {});
  return redis;
}
