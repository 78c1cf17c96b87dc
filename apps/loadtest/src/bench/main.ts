import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OptionsError, parseOptions } from './options.ts';
import { runBench } from './run-bench.ts';
import { scenarios } from './scenarios.ts';
import { table } from './table.ts';

const help = `npm run bench [-- options]: measures Passerby beside what it is compared with, on this machine.

  --only relay,matching   only these scenarios, or all whose names begin so; there are:
${Object.keys(scenarios)
  .map(name => `                            ${name}`)
  .join('\n')}
  --repeat 5              how many rounds; four times as many where they are short, three at most where servers start anew
  --json FILE             where all figures of all rounds go: .cache/bench.json
  --quick                 little work and one round, to see that it runs: the figures are of no use
  --help                  this

It takes about a quarter of an hour. Other work on the machine makes the spread wider; CPU times bear that better than
rates do. Ctrl-C ends it at once, and shows what there is.`;

const stop = new AbortController();
// All is ended at the first of them. The others, such as those that npm passes on, change nothing.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

const say = (text: string) => void process.stdout.write(`${text}\n`);

try {
  const options = parseOptions(process.argv.slice(2), Object.keys(scenarios));
  if (options.help) say(help);
  else {
    const report = await runBench({ ...options, signal: stop.signal }, say);
    const { machine, rows, failures, interrupted } = report;
    say(`\n${machine}: median (least–greatest), ratios within each round.\n\n${table(rows)}`);
    await mkdir(dirname(options.json), { recursive: true });
    await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    say(`\nAll figures of all rounds: ${options.json}`);
    const failed = Object.keys(failures);
    if (failed.length > 0) throw new Error(`Not measured: ${failed.join(', ')}. The reasons are above.`);
    if (interrupted) {
      say('\nIt was interrupted: this is what there was until then.');
      process.exitCode = 130;
    }
  }
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
// What a library may have left open must not keep this process.
process.exit();
