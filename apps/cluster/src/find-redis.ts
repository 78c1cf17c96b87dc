import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RedisBinary, redisVersion } from './redis-binary.ts';
import { unpackRedis } from './unpack-redis.ts';

const oldestMajor = 7;
const ownCacheDir = fileURLToPath(new URL('../../../.cache/redis', import.meta.url));

const threeWays = `Three ways to get one:
  1. Install it, so that redis-server or valkey-server is on your PATH: apt-get install redis-server (Debian 12 and
     later, Ubuntu 24.04 and later), or brew install redis.
  2. Use one that runs elsewhere: REDIS_URL=redis://host:6379 npm start
  3. Run one in a container: docker run -d -p 127.0.0.1:6379:6379 redis:7, and then
     REDIS_URL=redis://127.0.0.1:6379 npm start`;

export interface FindRedisOptions {
  /** Folders to look for programs in, written as the environment variable PATH is, which is the default. */
  readonly path?: string;
  /** Where the distribution's package is unpacked. Default: a folder of this project. */
  readonly cacheDir?: string;
  /** Called before a step that takes long, with what it is. */
  readonly onProgress?: (step: string) => void;
}

/**
 * Finds a Redis or Valkey of version 7 or later: on the PATH, else as the distribution's own package, unpacked into a
 * cache folder (Debian and Ubuntu).
 * @throws Error that says what was tried, and names three ways to get one.
 */
export async function findRedis(options: FindRedisOptions = {}): Promise<RedisBinary> {
  const { path = process.env.PATH ?? '', cacheDir = ownCacheDir, onProgress } = options;
  const tried: string[] = [];
  for (const file of await programsOn(path)) {
    const binary = { path: file, env: {} };
    const version = await redisVersion(binary);
    if (version !== undefined && version.major >= oldestMajor) return binary;
    tried.push(version ? `${file} is version ${version.text}, which is too old.` : `${file} does not run.`);
  }
  try {
    return await unpackRedis({ cacheDir, oldestMajor, path, onProgress });
  } catch (error) {
    tried.push((error as Error).message);
  }
  const nothing = `No Redis or Valkey of version ${oldestMajor} or later was found.`;
  throw new Error([nothing, ...tried, threeWays].join('\n'));
}

async function programsOn(path: string): Promise<string[]> {
  const folders = path.split(delimiter).filter(folder => folder !== '');
  const files = ['redis-server', 'valkey-server'].flatMap(name => folders.map(folder => join(folder, name)));
  const found = await Promise.allSettled(files.map(file => access(file, constants.X_OK)));
  return files.filter((_, index) => found[index]?.status === 'fulfilled');
}
