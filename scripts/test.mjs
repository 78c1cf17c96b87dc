// npm test [-- arguments of jest]: installs and builds what is missing, then runs the tests.
import { prepare } from './prepare.mjs';

await prepare();
const { run } = await import('jest');
// In this process, so that signals and the exit code need no detour.
await run(process.argv.slice(2));
