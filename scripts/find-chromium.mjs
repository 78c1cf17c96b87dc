import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * The path of a Chromium: what CHROMIUM_PATH says, else the system's own. On Debian, root gets its package when there is
 * none. Ends the process, with a sentence, when there is no way.
 */
export function findChromium() {
  const { CHROMIUM_PATH } = process.env;
  if (CHROMIUM_PATH) return CHROMIUM_PATH;
  const found = known.find(path => existsSync(path));
  if (found) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log('Installing Chromium (this can take a minute, once) …');
    const apt = (...args) =>
      spawnSync('apt-get', ['-q', '-o', 'Acquire::Retries=2', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    apt('update');
    apt('install', '--yes', '--no-install-recommends', 'chromium', 'fonts-noto-core', 'fonts-noto-color-emoji');
    if (existsSync(known[0])) return known[0];
  }
  console.error(
    'These tests need a Chromium, and there is none here. Install it (on Debian: apt-get install chromium), or say where ' +
      'one is: CHROMIUM_PATH=/path/to/chrome npm run test:browser',
  );
  process.exit(1);
}
