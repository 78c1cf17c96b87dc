// npm run load [-- --target http://localhost:3000 --users 2000 --duration 60s --scenario chat]: installs and builds what is
// missing, then puts load on a chat server and checks all that its users see. See docs/load-testing.md.
import { prepare } from './prepare.mjs';

await prepare();
// In this process, so that signals and the exit code need no detour.
await import('../apps/loadtest/dist/main.js');
