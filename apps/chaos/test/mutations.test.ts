import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { projectDir } from '../src/config.ts';
import { mutate } from '../src/mutate.ts';
import { mutations } from '../src/mutations.ts';

const loader = pathToFileURL(join(projectDir, 'apps/chaos/dist/break-loader.js')).href;

/** Tells the source of every module that it is asked for, and lets an empty one be loaded instead. */
const tellingHooks = `
  import { writeSync } from 'node:fs';
  export async function load(url, context, nextLoad) {
    const { source, ...loaded } = await nextLoad(url, context);
    writeSync(1, String(source));
    return { ...loaded, source: '' };
  }`;

/** Loads modules, reads Lua scripts, and tells what their source is then. */
const tellSource = `
  import { readFileSync } from 'node:fs';
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(tellingHooks)}));
  for (const file of process.argv.slice(1)) {
    if (file.endsWith('.lua')) process.stdout.write(readFileSync(new URL(file), 'utf8'));
    else await import(file);
  }`;

describe.each(Object.entries(mutations))('the mutation %s', (name, { edits }) => {
  it('finds each text that it replaces, once', async () => {
    for (const edit of edits) {
      const source = await readFile(join(projectDir, edit.file), 'utf8');
      expect(mutate(source, edit)).not.toBe(source);
    }
  });

  it('is made in what a program loads', async () => {
    const files = edits.map(({ file }) => pathToFileURL(join(projectDir, file)).href);
    const sourceWith = async (...args: string[]) =>
      (await promisify(execFile)(process.execPath, [...args, '--input-type=module', '-e', tellSource, ...files]))
        .stdout;
    const [plain, broken] = await Promise.all([sourceWith(), sourceWith('--import', `${loader}?${name}`)]);
    for (const { from, to } of edits) {
      expect(plain.split(from)).toHaveLength(2);
      expect(broken.split(from)).toHaveLength(to.includes(from) ? 2 : 1);
      expect(broken).toContain(to);
    }
  });
});
