// npm run test:chaos [-- --minutes 2 --seed 1234 --faults node-kill,redis-restart]: installs and builds what is missing, then
// starts a cluster, puts load and faults on it, and checks what its users saw. See docs/reliability.md.
import { prepare } from './prepare.mjs';

await prepare();
// In this process, so that signals and the exit code need no detour.
await import('../apps/chaos/dist/main.js');
