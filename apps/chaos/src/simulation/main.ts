import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mutationNamed } from '../mutate.ts';
import { mutations } from '../mutations.ts';
import { OptionsError } from '../options.ts';
import type { Plan } from './plan.ts';
import { parseSimulationOptions } from './simulation-options.ts';

const usage = `npm run test:sim -- [options]

Lives through one simulated minute of faults after the other: several nodes, Redis, and clients, in one process, with a clock,
a network and chance of its own. One seed gives one run, event for event.

  --seed 1234     the first seed; the others follow it; a random one otherwise
  --faults 10000  ends after so many faults
  --minutes 1     ends after so long
  --only a,b      only these faults; all otherwise
  --go-on         goes on after a violation, and counts
  --plan FILE     lives through the plan in this file, as a failing run leaves it
  --break NAME    makes something wrong on purpose: fencing, idempotence, order,
                  place, replace, resend, resume or retire

It ends with 0 if nothing was found, with 1 if something was, and with 2 if it could not run. See docs/reliability.md.`;

const say = (text: string) => void process.stdout.write(`${text}\n`);

if (process.argv.includes('--help')) {
  say(usage);
  process.exit();
}
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 2;
}
process.exit();

/** @returns 1 when something was found that must never happen */
async function main(): Promise<number> {
  const asked = process.argv.slice(2);
  const name = asked[asked.indexOf('--break') + 1];
  // Before anything is loaded that may have to be wrong.
  if (asked.includes('--break') && name !== undefined && name in mutations) {
    await import(new URL(`../break-loader.js?${name}&simulated`, import.meta.url).href);
    say(`Made wrong on purpose: ${mutationNamed(name).does}`);
  }
  const { simulatedFaultNames } = await import('./simulated-faults.ts');
  const { explore } = await import('./explore.ts');
  const options = parseSimulationOptions(asked, { faults: simulatedFaultNames, mutations: Object.keys(mutations) });
  const plan = options.plan === undefined ? undefined : (JSON.parse(await readFile(options.plan, 'utf8')) as Plan);
  const found = await explore({ ...options, plan }, say);
  if (found.shortest) {
    const file = join(await mkdtemp(join(tmpdir(), 'passerby-simulation-')), 'plan.json');
    await writeFile(file, JSON.stringify(found.shortest, null, 2));
    say(`\nThe shortest history found: npm run test:sim -- --plan ${file}`);
  }
  return found.violations > 0 ? 1 : 0;
}
