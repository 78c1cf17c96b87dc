import { cp, mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './check.ts';
import { projectDir } from './config.ts';
import { faultKinds } from './faults.ts';
import { readHistory, writeHistory } from './history-file.ts';
import { mutate, mutationNamed } from './mutate.ts';
import { mutations } from './mutations.ts';
import { type Options, OptionsError, parseOptions } from './options.ts';
import { explain, report } from './report.ts';
import { usage } from './usage.ts';

const say = (text: string) => void process.stdout.write(`${text}\n`);

if (process.argv.includes('--help')) {
  say(usage);
  process.exit();
}
try {
  const known = { faults: Object.keys(faultKinds), mutations: Object.keys(mutations) };
  const options = parseOptions(process.argv.slice(2), known);
  process.exitCode = options.replay === undefined ? await runOnce(options) : await replay(options.replay);
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 2;
}
// What a library may have left open must not keep this process.
process.exit();

/** @returns 1 when something was found that must never happen */
async function runOnce(options: Options): Promise<number> {
  if (options.broken !== undefined) await makeWrong(options.broken);
  // Only now: it loads the client library, which may have to be wrong.
  const { run } = await import('./run.ts');
  const again = `--seed ${options.seed}${options.faults ? ` --faults ${options.faults}` : ''}`;
  say(`Seed ${options.seed}. The same faults once more: npm run test:chaos -- ${again} --minutes ${options.minutes}`);
  if (options.broken) say(`Made wrong on purpose: ${mutationNamed(options.broken).does}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const startedAt = performance.now();
  const { history, logDir, remove } = await run(options, stop.signal, sentence => {
    say(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${sentence}`);
  });
  const verdict = check(history);
  say(`\n${report(verdict)}`);
  if (verdict.violations.length > 0) {
    say(`\n${explain(verdict)}`);
    const dir = options.out ?? (await mkdtemp(join(tmpdir(), 'passerby-chaos-failed-')));
    await mkdir(dir, { recursive: true });
    const file = join(dir, 'history.jsonl');
    await writeHistory(file, history);
    await cp(logDir, join(dir, 'logs'), { recursive: true });
    say(`\nThe history is in ${file}, the logs are beside it.\nRead it again: npm run test:chaos -- --replay ${file}`);
  }
  await remove();
  return verdict.violations.length > 0 ? 1 : 0;
}

async function replay(file: string): Promise<number> {
  const verdict = check(await readHistory(file));
  say(report(verdict));
  if (verdict.violations.length === 0) return 0;
  say(`\n${explain(verdict)}`);
  return 1;
}

/** Makes sure, before anything starts, that the mutation can be made; and makes it, if it is for this process. */
async function makeWrong(name: string): Promise<void> {
  const mutation = mutationNamed(name);
  for (const edit of mutation.edits) mutate(await readFile(join(projectDir, edit.file), 'utf8'), edit);
  if (mutation.where === 'clients') await import(new URL(`./break-loader.js?${name}`, import.meta.url).href);
}
