import { connectRedis, RedisOutbox, whenReady } from '@passerby/redis';
import { ConfigError, readConfig } from './config.ts';

// Puts the facts that were set aside back into the outbox, when what was wrong has been mended, with the settings of the
// recorder: node apps/recorder/dist/retry-refused.js
const batchSize = 100;

try {
  const { POOLS, REDIS_URL, REDIS_PREFIX } = readConfig();
  const log = { info: () => undefined, warn: () => undefined };
  const redis = connectRedis({ url: REDIS_URL, role: 'retry', log, commandTimeoutMs: 5000 });
  try {
    await whenReady(redis, 5000);
    if (redis.status !== 'ready') throw new Error('Redis cannot be reached. Check REDIS_URL.');
    for (const pool of POOLS) {
      const count = await retryAll(new RedisOutbox(redis, { prefix: REDIS_PREFIX, pool }));
      console.log(`Put ${count} facts of the pool ${pool} back into the outbox.`);
    }
  } finally {
    redis.disconnect();
  }
} catch (error) {
  const { message } = error as Error;
  if (error instanceof ConfigError) console.error(`The facts cannot be put back with these settings:\n${message}`);
  else console.error(`The facts were not all put back; to try again does no harm. ${message}`);
  process.exitCode = 1;
}

/** Puts back as many as there are now, so that it ends though a recorder sets the same ones aside again meanwhile. */
async function retryAll(outbox: RedisOutbox): Promise<number> {
  const { setAside } = await outbox.backlog();
  let count = 0;
  while (count < setAside) {
    const moved = await outbox.retry(Math.min(batchSize, setAside - count));
    if (moved === 0) break;
    count += moved;
  }
  return count;
}
