// npm run test:slow [-- arguments of jest]: installs and builds what is missing, then tries real processes with faults and attacks.
import { prepare } from './prepare.mjs';

await prepare();
const { run } = await import('jest');
await run(['--config', 'jest.slow.config.mjs', ...process.argv.slice(2)]);
