// npm run chat [-- http://localhost:3000]: installs and builds what is missing, then chats in this terminal with whoever is
// at that address. `npm start` runs it.
import { prepare } from './prepare.mjs';

await prepare();
await import('../examples/terminal-chat.mjs');
