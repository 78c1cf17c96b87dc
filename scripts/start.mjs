// npm start: installs and builds what is missing, then runs a whole cluster on this machine.
import { existsSync } from 'node:fs';
import { prepare } from './prepare.mjs';

await prepare();
if (existsSync('.env')) process.loadEnvFile('.env');
// In this process, so that signals reach the cluster without a detour.
await import('../apps/cluster/dist/main.js');
