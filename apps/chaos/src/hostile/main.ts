import { mkdir, writeFile } from 'node:fs/promises';
import { OptionsError } from '../options.ts';
import { attacks } from './attacks.ts';
import { parseHostileOptions, usage } from './options.ts';
import { Run } from './run.ts';
import { tableHead, tableRow } from './table.ts';

const names = Object.keys(attacks);
const say = (text: string) => void process.stdout.write(`${text}\n`);

if (process.argv.includes('--help')) {
  say(usage(names));
  process.exit();
}
try {
  process.exitCode = await runOnce();
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 2;
}
// What a library may have left open must not keep this process.
process.exit();

/** @returns 1 when the node did what it must never do */
async function runOnce(): Promise<number> {
  const options = parseHostileOptions(process.argv.slice(2), names);
  const run = new Run(options, trial => say(tableRow(trial)));
  const givenUp = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => reject(new Error('The run was given up.')));
    }
  });
  say(`Seed ${options.seed}. The same attacks once more: npm run test:hostile -- --seed ${options.seed}`);
  say(tableHead);
  const report = await Promise.race([run.start(options.attacks ?? names), givenUp]).finally(() => run.stop());
  const sum = (field: 'packets' | 'bytes') => report.trials.reduce((total, trial) => total + trial[field], 0);
  say(`\nA byte of honest people costs ${report.honestNsPerByte.toFixed(0)} ns of CPU.`);
  say(`${sum('packets')} hostile packets and ${(sum('bytes') / 1e6).toFixed(0)} MB were sent.`);
  const failures = report.trials.flatMap(trial => trial.failures);
  for (const { attack, text } of failures) say(`${attack}: ${text}`);
  await mkdir('.cache', { recursive: true });
  await writeFile('.cache/hostile.json', JSON.stringify({ ...report, failures }, undefined, 1));
  say(failures.length > 0 ? `\n${failures.length} failures.` : '\nNobody was harmed.');
  return failures.length > 0 ? 1 : 0;
}
