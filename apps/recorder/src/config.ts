import { z } from 'zod';

export interface Config {
  redisUrl: string;
  databaseUrl: string;
  /** The pools whose outboxes are recorded. */
  pools: string[];
  redisPrefix: string;
  /** For /healthz, /readyz and /metrics. */
  port: number;
  logLevel: string;
  /** Facts in one write, at most. */
  batchSize: number;
}

const url = (name: string, protocol: RegExp, example: string) =>
  z.url({ protocol, error: `${name} must be an address like ${example}.` });
const integer = (name: string, min: number, max: number) =>
  z.coerce.number().refine(value => Number.isInteger(value) && value >= min && value <= max, {
    error: `${name} must be a whole number from ${min} to ${max}.`,
  });
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

const settings = z.object({
  REDIS_URL: url('REDIS_URL', /^rediss?$/, 'redis://localhost:6379'),
  DATABASE_URL: url('DATABASE_URL', /^postgres(ql)?$/, 'postgres://user:password@localhost:5432/passerby'),
  POOLS: z
    .string()
    .default('lobby')
    .transform(text => [...new Set(text.split(',').map(pool => pool.trim()))])
    .refine(pools => pools.every(pool => /^[\w-]+$/.test(pool)), {
      error: 'POOLS must be pool names with commas between them; a name has letters, digits, - and _.',
    }),
  REDIS_PREFIX: z
    .string()
    .default('passerby')
    .refine(prefix => /^[\w:-]+$/.test(prefix), { error: 'REDIS_PREFIX must have only letters, digits, -, _ and :.' }),
  PORT: integer('PORT', 0, 65_535).default(3100),
  LOG_LEVEL: z.enum(logLevels, { error: `LOG_LEVEL must be one of ${logLevels.join(', ')}.` }).default('info'),
  BATCH_SIZE: integer('BATCH_SIZE', 1, 5_000).default(500),
});

/** Reads the environment. Throws an error with one sentence for each wrong setting. An empty setting counts as unset. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const { success, data, error } = settings.safeParse(given);
  if (!success) throw new Error(error.issues.map(({ message }) => message).join('\n'));
  return {
    redisUrl: data.REDIS_URL,
    databaseUrl: data.DATABASE_URL,
    pools: data.POOLS,
    redisPrefix: data.REDIS_PREFIX,
    port: data.PORT,
    logLevel: data.LOG_LEVEL,
    batchSize: data.BATCH_SIZE,
  };
}
