import { z } from 'zod';

const limit = z
  .string()
  .regex(/^[1-9]\d*\/[1-9]\d*$/, 'must be a number and a number of seconds, such as 30/10')
  .transform(text => {
    const [points, seconds] = text.split('/').map(Number);
    return { points: points ?? 0, seconds: seconds ?? 0 };
  });

const wholeNumber = (min: number, max: number) =>
  z.coerce.number(`must be a number from ${min} to ${max}`).int('must be a whole number').min(min).max(max);

const settings = z.object({
  PORT: wholeNumber(0, 65_535).default(3000),
  HOST: z.string().default(''),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a URL such as redis://localhost:6379' }),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w-]+$/, 'must be letters, digits, - and _')
    .default('passerby'),
  POOL: z
    .string()
    .regex(/^[\w-]+$/, 'must be letters, digits, - and _')
    .default('lobby'),
  LEASE_MS: wholeNumber(1000, 60_000).default(5000),
  ALLOWED_ORIGINS: z
    .string()
    .default('')
    .transform(list =>
      list
        .split(',')
        .map(origin => origin.trim())
        .filter(Boolean),
    ),
  TRUST_PROXY: z
    .string()
    .default('')
    .transform(list =>
      list
        .split(',')
        .map(network => network.trim())
        .filter(Boolean),
    ),
  MAX_MESSAGE_CHARACTERS: wholeNumber(1, 5000).default(500),
  RATE_LIMITS: z.enum(['on', 'off'], 'must be on or off').default('on'),
  LIMIT_USER_MESSAGES: limit.prefault('30/10'),
  LIMIT_USER_REQUESTS: limit.prefault('30/10'),
  LIMIT_ADDRESS_MESSAGES: limit.prefault('600/10'),
  LIMIT_ADDRESS_REQUESTS: limit.prefault('600/10'),
  LIMIT_ADDRESS_CONNECTIONS: limit.prefault('300/60'),
  ADMIN_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
});

export type Config = z.infer<typeof settings>;

/**
 * Reads the settings; .env.example tells what each one means.
 * @throws ConfigError with a line for each setting that is missing or wrong
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  // An empty value means that the setting is not set: this is how Compose passes variables that nobody set.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(issue => {
    const name = issue.path.join('.');
    return given[name] === undefined ? `${name} is not set. See .env.example.` : `${name} ${issue.message}.`;
  });
  throw new ConfigError(lines.join('\n'));
}

/** Settings are missing or wrong. The message is for the operator. */
export class ConfigError extends Error {}

export const settingNames = Object.keys(settings.shape);
