import { applyMigrations } from '@passerby/database';
import { Redis } from 'ioredis';

const oldestRedis = 7;

/**
 * Makes sure that a Redis of version 7 or later answers at this address.
 * @throws Error that says what is wrong, without the password in the address.
 */
export async function requireRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
  });
  let reason: unknown;
  redis.on('error', error => {
    reason = error;
  });
  try {
    await redis.connect();
    const version = /\nredis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '';
    if (Number.parseInt(version, 10) >= oldestRedis) return;
    reason = new Error(`it is version ${version}, and ${oldestRedis} or later is needed`);
  } catch (error) {
    reason ??= error;
  } finally {
    redis.disconnect();
  }
  throw new Error(
    `The Redis at ${new URL(url).host} cannot be used: ${messageOf(reason)}.\n` +
      'Start it, name another one in REDIS_URL, or leave REDIS_URL unset: then one is started for you.',
  );
}

/**
 * Makes sure that a PostgreSQL answers at this address and has the present schema.
 * @throws Error that says what is wrong, without the password in the address.
 */
export async function requirePostgres(url: string): Promise<void> {
  await applyMigrations(url).catch(error => {
    const { host, pathname } = new URL(url);
    throw new Error(
      `The database ${pathname.slice(1)} at ${host} cannot be used: ${messageOf(error)}\n` +
        'Start it, name another one in DATABASE_URL, or leave DATABASE_URL unset: then one is started for you.',
    );
  });
}

/** The message, also of an error that only wraps the ones of several attempts. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
