import { z } from 'zod';

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .transform(text => (/^\d+$/.test(text) ? Number(text) : Number.NaN))
    .refine(value => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const settings = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a URL such as redis://localhost:6379' }),
  DATABASE_URL: z.url({
    protocol: /^postgres(ql)?$/,
    error: 'must be a URL such as postgresql://user:password@localhost:5432/passerby',
  }),
  POOLS: z
    .string()
    .transform(text => [...new Set(text.split(',').map(pool => pool.trim()))])
    .refine(pools => pools.every(pool => /^[\w-]+$/.test(pool)), 'must be pool names with commas between them')
    .prefault('lobby'),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w-]+$/, 'must be letters, digits, - and _')
    .default('passerby'),
  PORT: wholeNumber(0, 65_535).prefault('3100'),
  HOST: z.string().default(''),
  LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).default('info'),
  BATCH_SIZE: wholeNumber(1, 5000).prefault('2000'),
  OUTBOX_HIGH_WATER: wholeNumber(1, 1_000_000_000).prefault('1000000'),
  SWEEP_EVERY_MS: wholeNumber(100, 3_600_000).prefault('60000'),
});

export type Config = z.infer<typeof settings>;

/** Settings are missing or wrong. The message is for the operator. */
export class ConfigError extends Error {}

/**
 * Reads the settings; .env.example tells what each one means. An empty value counts as not set.
 * @throws ConfigError with a line for each setting that is missing or wrong
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(issue => {
    const name = issue.path.join('.');
    return given[name] === undefined ? `${name} is not set. See .env.example.` : `${name} ${issue.message}.`;
  });
  throw new ConfigError(lines.join('\n'));
}
