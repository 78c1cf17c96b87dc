// npm run test:hostile [-- --seed 7 --packets 1000000 --minutes 10]: installs and builds what is missing, then attacks a chat
// node on this machine, and checks that everybody else notices nothing. See CONTRIBUTING.md.
import { prepare } from './prepare.mjs';

await prepare();
// In this process, so that signals and the exit code need no detour.
await import('../apps/chaos/dist/hostile/main.js');
