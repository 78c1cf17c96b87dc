import { findProgram } from './find-program.mjs';

/** The path of a Chromium, which is installed if need be. Ends the process, with a sentence, when there is no way. */
export function findChromium() {
  return findProgram({
    name: 'Chromium',
    variable: 'CHROMIUM_PATH',
    paths: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    packages: ['chromium', 'fonts-noto-core', 'fonts-noto-color-emoji'],
    example: '/path/to/chrome npm run test:browser',
  });
}
