import { rm } from 'node:fs/promises';
import { findLeftovers } from './leftovers.ts';

/** Stops the servers of the run, and fails the run if its tests left anything behind. */
export default async function tearDown(): Promise<void> {
  const servers = globalThis.testServers;
  if (!servers) return;
  const { dir, redis, postgres } = servers;
  const leftovers = await findLeftovers({ redisUrl: redis.url, databaseUrl: postgres.url });
  await Promise.all([redis.stop(), postgres.stop()]);
  await rm(dir, { recursive: true, force: true });
  if (leftovers.length > 0) {
    process.stderr.write(`\nThe tests left something behind:\n${leftovers.map(line => `- ${line}\n`).join('')}`);
    process.exit(1);
  }
}
