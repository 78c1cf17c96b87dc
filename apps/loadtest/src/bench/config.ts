import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the whole project. */
export const projectDir = fileURLToPath(new URL('../../../..', import.meta.url));

/** Where the compiled programs are that the benchmarks start. */
export const programDir = join(projectDir, 'apps/loadtest/dist/bench');

/** The environment of every server that is measured: as in production, and without settings of our own apps. */
export function serverEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const needed = ['PATH', 'HOME', 'LANG', 'LD_LIBRARY_PATH', 'TMPDIR', 'PASSERBY_TEST_PROCESS'];
  const kept = Object.entries(env).filter(([name]) => needed.includes(name));
  return { ...Object.fromEntries(kept), NODE_ENV: 'production' };
}
