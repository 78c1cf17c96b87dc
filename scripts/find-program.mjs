import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * The path of a program that some tests need: what the environment variable says, else the first of `paths` that is
 * there. On Debian, root gets its packages when there is none. Ends the process, with a sentence, when there is no way.
 */
export function findProgram({ name, variable, paths, packages, example }) {
  const { [variable]: given } = process.env;
  if (given) return given;
  const found = () => paths.find(path => existsSync(path));
  if (!found() && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log(`Installing ${name} (this can take a minute, once) …`);
    const apt = (...args) =>
      spawnSync('apt-get', ['-q', '-o', 'Acquire::Retries=2', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    apt('update');
    apt('install', '--yes', '--no-install-recommends', ...packages);
  }
  const path = found();
  if (path) return path;
  console.error(
    `These tests need ${name}, and there is none here. Install it (on Debian: apt-get install ${packages[0]}), or say ` +
      `where one is: ${variable}=${example}`,
  );
  process.exit(1);
}
