// npm run bench [-- --only relay --repeat 5 --json FILE]: installs and builds what is missing, then measures Passerby beside
// what people build today. See docs/performance.md.
import { prepare } from './prepare.mjs';

await prepare();
// In this process, so that signals and the exit code need no detour.
await import('../apps/loadtest/dist/bench/main.js');
