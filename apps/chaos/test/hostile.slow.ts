import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '../src/hostile/run.ts';
import type { Failure } from '../src/hostile/trial.ts';
import { Command } from './command.ts';

const hostile = new Command('hostile/main.js');
/** One by one: among others, they might not get as far as to do what they can. */
const severe = [
  ...['http-jsonp', 'http-cross-site', 'http-foreign-upgrade', 'chat-other-session'],
  ...['resume-foreign', 'engine-connects-1m', 'tcp-unread'],
];

// Elsewhere there are no other addresses than 127.0.0.1 without further ado, and no /proc.
const onLinux = process.platform === 'linux' ? it : it.skip;

onLinux.each([
  ['all that it does at once', ['--together']],
  ['the worst of it, one by one', ['--attacks', severe.join()]],
])(
  'the hostile client harms nobody with %s',
  async (_what, args) => {
    const { output } = await hostile.run(['--seed', '7', '--packets', '20000', '--minutes', '0.1', ...args]);
    const text = await readFile(join(hostile.dir, '.cache/hostile.json'), 'utf8').catch(() => '');
    if (text === '') throw new Error(output);
    const { trials, failures } = JSON.parse(text) as Report & { failures: Failure[] };
    // What a byte costs is not for a machine on which other tests run, too.
    expect(failures.filter(({ kind }) => kind !== 'cost')).toEqual([]);
    expect(trials.at(-1)).toMatchObject({ name: 'all at once' });
    for (const { packets, bytes } of trials) expect([packets > 0, bytes > 0]).toEqual([true, true]);
  },
  120_000,
);
