import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const projectDir = fileURLToPath(new URL('../../..', import.meta.url));
const mostNodes = 100;

export interface Config {
  /** Of the public address. Chat nodes have the ports after it, and the recorder the one after those. */
  readonly port: number;
  readonly nodes: number;
  /** The address that the public address listens on; undefined means all. */
  readonly host: string | undefined;
  /** How this machine reaches the public address, as it stands in a URL. */
  readonly localHost: string;
  /** A Redis that runs already; undefined to run one. */
  readonly redisUrl: string | undefined;
  /** A PostgreSQL that runs already; undefined to run one. */
  readonly databaseUrl: string | undefined;
  readonly redisPort: PortChoice;
  readonly postgresPort: PortChoice;
  /** The pools to record, as the recorder's setting. */
  readonly pools: string;
  /** Keys the hashes of addresses that the nodes keep in Redis; undefined to make one. */
  readonly addressSecret: string | undefined;
  /** Most connections of an address at once that a node takes. */
  readonly mostOfAddress: number;
  /** Opens the nodes' status page; undefined to make one. */
  readonly adminToken: string | undefined;
  readonly dataDir: string;
  readonly projectDir: string;
}

export interface PortChoice {
  readonly port: number;
  /** Whether somebody asked for this very port: then no other will do. */
  readonly fixed: boolean;
}

const wholeNumber = (name: string, most: number) => {
  const error = `${name} must be a whole number from 1 to ${most}.`;
  return z
    .string()
    .transform(text => (/^\d+$/.test(text) ? Number(text) : Number.NaN))
    .refine(value => value >= 1 && value <= most, { error });
};
const url = (name: string, protocol: RegExp, example: string) =>
  z.url({ protocol, error: `${name} must be an address like ${example}.` });

const settings = z.object({
  PORT: wholeNumber('PORT', 65_000).prefault('3000'),
  NODES: wholeNumber('NODES', mostNodes).prefault('2'),
  HOST: z.string().optional(),
  REDIS_URL: url('REDIS_URL', /^rediss?$/, 'redis://localhost:6379').optional(),
  DATABASE_URL: url('DATABASE_URL', /^postgres(ql)?$/, 'postgresql://user:password@localhost:5432/passerby').optional(),
  REDIS_PORT: wholeNumber('REDIS_PORT', 65_535).optional(),
  POSTGRES_PORT: wholeNumber('POSTGRES_PORT', 65_535).optional(),
  POOL: z
    .string()
    .regex(/^[\w-]+$/, 'POOL must be letters, digits, - and _.')
    .optional(),
  POOLS: z.string().default(''),
  ADMIN_TOKEN: z.string().optional(),
  ADDRESS_SECRET: z.string().optional(),
  LIMIT_ADDRESS_OPEN: wholeNumber('LIMIT_ADDRESS_OPEN', 1_000_000).prefault('1000'),
  RATE_LIMITS: z.enum(['on', 'off'], 'RATE_LIMITS must be on or off.').default('on'),
  DATA_DIR: z.string().default('.data'),
});

/** Reads the environment. Throws an error with one sentence for each wrong setting. An empty setting counts as unset. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const { success, data, error } = settings.safeParse(given);
  if (!success) throw new Error(error.issues.map(({ message }) => message).join('\n'));
  return {
    port: data.PORT,
    nodes: data.NODES,
    host: data.HOST,
    localHost: localHost(data.HOST),
    redisUrl: data.REDIS_URL,
    databaseUrl: data.DATABASE_URL,
    postgresPort: { port: data.POSTGRES_PORT ?? data.PORT + 200, fixed: data.POSTGRES_PORT !== undefined },
    redisPort: { port: data.REDIS_PORT ?? data.PORT + 201, fixed: data.REDIS_PORT !== undefined },
    pools: data.POOLS || (data.POOL ?? ''),
    addressSecret: data.ADDRESS_SECRET,
    mostOfAddress: data.RATE_LIMITS === 'off' ? Number.POSITIVE_INFINITY : data.LIMIT_ADDRESS_OPEN,
    adminToken: data.ADMIN_TOKEN,
    dataDir: isAbsolute(data.DATA_DIR) ? data.DATA_DIR : join(projectDir, data.DATA_DIR),
    projectDir,
  };
}

function localHost(host: string | undefined): string {
  if (host === undefined || host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
