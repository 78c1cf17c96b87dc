import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { help } from './help.ts';
import { htmlReport } from './html-report.ts';
import { LoaderDied } from './loaders.ts';
import { type Options, OptionsError, parseOptions } from './options.ts';
import { Progress } from './progress.ts';
import { TargetError } from './reach-target.ts';
import { run } from './run.ts';
import { summary } from './summary.ts';
import { verdict } from './verdict.ts';

/** npm passes on a signal that the terminal has sent to us already: within this time, it is the same one. */
const sameSignalMs = 500;

const say = (text: string) => void process.stdout.write(`${text}\n`);

try {
  const options = parseOptions(process.argv.slice(2), availableParallelism());
  if (options) process.exitCode = await load(options);
  else say(help());
} catch (error) {
  const isForPeople = [OptionsError, TargetError, LoaderDied].some(kind => error instanceof kind);
  process.stderr.write(`${isForPeople ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = 2;
}
process.exit();

/** @returns the exit code */
async function load(options: Options): Promise<number> {
  const { scenario, targets, rampMs, durationMs, findLimit, json, html } = options;
  for (const file of [json, html]) await tryToWrite(file);
  const signal = stopSignal();
  const known = findLimit === undefined ? { durationMs: rampMs + durationMs } : {};
  const progress = new Progress({ scenario, targets, ...known });
  const report = await run({
    ...{ options, signal },
    onSample: sample => progress.show(sample),
    say: sentence => progress.say(sentence),
  });
  progress.end();
  say(`\n${summary(report)}`);
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(html, htmlReport(report));
  say(`The same with plots: ${html}. All figures of every second: ${json}.`);
  if (!verdict(report).passed) return 1;
  return report.interrupted ? 130 : 0;
}

/** Not only after the run: its results would be lost. Throws an {@link OptionsError}. */
async function tryToWrite(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await appendFile(file, '');
  } catch (error) {
    throw new OptionsError(`${file} cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Aborts at the first Ctrl-C or SIGTERM. The second one ends this process. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let lastAt = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (performance.now() - lastAt < sameSignalMs) return;
      lastAt = performance.now();
      if (stop.signal.aborted) process.exit(130);
      stop.abort();
    });
  }
  return stop.signal;
}
