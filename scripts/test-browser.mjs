// npm run test:browser [-- arguments of jest]: installs and builds what is missing, then tries the page in a real Chromium.
import { findChromium } from './find-chromium.mjs';
import { prepare } from './prepare.mjs';

await prepare();
process.env.CHROMIUM_PATH = findChromium();
const { run } = await import('jest');
await run(['--config', 'jest.browser.config.mjs', ...process.argv.slice(2)]);
