import { fileURLToPath } from 'node:url';

/** The folder of the whole project. */
export const projectDir = fileURLToPath(new URL('../../..', import.meta.url));

/** What every process that we start finds in its environment: what we found, without settings of our own apps. */
export function baseEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const ours =
    /^(PORT|HOST|REDIS_.*|POOLS?|DATABASE_URL|LEASE_MS|RESUME_WITHIN_MS|DRAIN_MS|LIMIT_.*|ADDRESS_SECRET|RATE_LIMITS|LOG_LEVEL)$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)));
}
