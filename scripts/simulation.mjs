// npm run test:sim [-- --seed 1234 --faults 10000]: installs and builds what is missing, then lives through simulated faults,
// seed after seed. See docs/reliability.md.
import { prepare } from './prepare.mjs';

await prepare();
// In this process, so that signals and the exit code need no detour.
await import('../apps/chaos/dist/simulation/main.js');
