// npm run simulate [-- --users 1000000 --chat 180s …]: installs and builds what is missing, then calculates what a number of
// users needs, and simulates how long they wait for a partner. See docs/scaling.md.
import { prepare } from './prepare.mjs';

await prepare();
await import('../apps/loadtest/dist/simulate/main.js');
