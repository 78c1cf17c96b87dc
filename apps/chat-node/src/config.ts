import proxyAddr from 'proxy-addr';
import { z } from 'zod';

const limit = z
  .string()
  .regex(/^[1-9]\d{0,7}\/[1-9]\d{0,4}$/, 'must be a number and a number of seconds, such as 30/10')
  .transform(text => {
    const [points, seconds] = text.split('/').map(Number);
    return { points: points ?? 0, seconds: seconds ?? 0 };
  });

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .transform(text => (/^\d+$/.test(text) ? Number(text) : Number.NaN))
    .refine(value => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const list = z.string().transform(text =>
  text
    .split(',')
    .map(item => item.trim())
    .filter(Boolean),
);

const name = z.string().regex(/^[\w-]+$/, 'must be letters, digits, - and _');

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const settings = z.object({
  PORT: wholeNumber(0, 65_535).prefault('3000'),
  HOST: z.string().default(''),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'must be a URL such as redis://localhost:6379' }),
  REDIS_PREFIX: name.default('passerby'),
  POOL: name.default('lobby'),
  LEASE_MS: wholeNumber(1000, 60_000).prefault('5000'),
  RESUME_WITHIN_MS: wholeNumber(1000, 600_000).prefault('30000'),
  DRAIN_MS: wholeNumber(0, 3_600_000).prefault('10000'),
  ALLOWED_ORIGINS: list
    .refine(
      origins => origins.every(origin => origin === '*' || isOrigin(origin)),
      'must be web origins such as https://chat.example.org, with commas between them, or *',
    )
    .prefault(''),
  TRUST_PROXY: list
    .refine(
      canBeTrusted,
      'must be addresses, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, with commas between them',
    )
    .prefault(''),
  MAX_MESSAGE_CHARACTERS: wholeNumber(1, 5000).prefault('500'),
  RATE_LIMITS: z.enum(['on', 'off'], 'must be on or off').default('on'),
  LIMIT_USER_MESSAGES: limit.prefault('30/10'),
  LIMIT_USER_REQUESTS: limit.prefault('30/10'),
  LIMIT_USER_RESUMES: limit.prefault('30/60'),
  LIMIT_ADDRESS_MESSAGES: limit.prefault('600/10'),
  LIMIT_ADDRESS_REQUESTS: limit.prefault('600/10'),
  LIMIT_ADDRESS_CONNECTIONS: limit.prefault('300/60'),
  LIMIT_ADDRESS_OPEN: wholeNumber(1, 1_000_000).prefault('1000'),
  LIMIT_ADDRESS_HANDSHAKES: limit.prefault('600/6'),
  LIMIT_ADDRESS_HTTP: limit.prefault('600/1'),
  LIMIT_ADDRESS_PACKETS: limit.prefault('1000/2'),
  LIMIT_CONNECTION_PACKETS: limit.prefault('500/10'),
  ADDRESS_SECRET: z.string().min(16, 'must have at least 16 characters').optional(),
  ADMIN_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  LOG_LEVEL: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`).default('info'),
});

export type Config = z.infer<typeof settings>;

/** Settings are missing or wrong. The message is for the operator. */
export class ConfigError extends Error {}

/**
 * Reads the settings; .env.example tells what each one means. An empty value counts as not set.
 * @throws ConfigError with a line for each setting that is missing or wrong
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  // Compose passes variables that nobody set as empty ones.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(issue => {
    const name = issue.path.join('.');
    return given[name] === undefined ? `${name} is not set. See .env.example.` : `${name} ${issue.message}.`;
  });
  throw new ConfigError(lines.join('\n'));
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function canBeTrusted(networks: string[]): boolean {
  try {
    proxyAddr.compile(networks);
    // A bare number is an address too, 1 is 0.0.0.1, but it was meant as a number of proxies.
    return !networks.some(network => /^\d+$/.test(network));
  } catch {
    return false;
  }
}
