import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { OptionsError, parseOptions } from './options.ts';
import { isMet, type Row, ratiosOf } from './row.ts';
import { scenarios } from './scenarios.ts';
import { Servers } from './servers.ts';
import { table } from './table.ts';

const help = `npm run bench [-- options]: measures Passerby beside what it is compared with, on this machine.

  --only relay,matching   only these scenarios, or all whose names begin so; there are:
${Object.keys(scenarios)
  .map(name => `                            ${name}`)
  .join('\n')}
  --repeat 5              how many rounds
  --json FILE             write all figures of all rounds to a file
  --quick                 little work and one round, to see that it runs: the figures are of no use
  --help                  this

It takes about a quarter of an hour. Other work on the machine makes the spread wider; CPU times bear that better than rates.`;

const say = (text: string) => void process.stdout.write(`${text}\n`);

try {
  const options = parseOptions(process.argv.slice(2), Object.keys(scenarios));
  if (options.help) say(help);
  else await run(options);
} catch (error) {
  process.stderr.write(`${error instanceof OptionsError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
// What a library may have left open must not keep this process.
process.exit();

async function run({ only, repeat, json, quick }: ReturnType<typeof parseOptions>): Promise<void> {
  const startedAt = new Date();
  const dir = await mkdtemp(join(os.tmpdir(), 'passerby-bench-'));
  const servers = new Servers(dir);
  const clear = async () => {
    await servers.stop();
    await rm(dir, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void clear().finally(() => process.exit(130)));
  }
  const rows: (Row & { scenario: string })[] = [];
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (only && !only.some(each => name.startsWith(each))) continue;
      const log = (sentence: string) => {
        const seconds = (Date.now() - startedAt.getTime()) / 1000;
        say(`${seconds.toFixed(0).padStart(5)} s  ${name}: ${sentence}`);
      };
      const found = await scenario({ servers, repeat, scale: quick ? 0.05 : 1, say: log });
      await servers.stopContestants();
      rows.push(...found.map(row => ({ scenario: name, ...row })));
    }
  } finally {
    await clear();
  }
  const [cpu] = os.cpus();
  const machine = `${os.cpus().length} × ${cpu?.model ?? 'unknown'}, Node.js ${process.versions.node}`;
  say(`\n${machine}; ${repeat} rounds: median (least–greatest), ratios within each round.\n\n${table(rows)}`);
  if (json === undefined) return;
  const figures = rows.map(row => ({ ...row, ratios: ratiosOf(row), met: isMet(row) }));
  const report = { version: 1, startedAt: startedAt.toISOString(), machine, repeat, quick, rows: figures };
  await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`);
}
