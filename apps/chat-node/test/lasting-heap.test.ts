import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const built = new URL('../dist/lasting-heap.js', import.meta.url).href;

/** What a process with these flags finds, in MB. */
async function found(...flags: string[]): Promise<number> {
  const script = `import { lastingHeapBytes } from '${built}'; console.log(await lastingHeapBytes() / 1024 / 1024);`;
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '-e', script]);
  return Number(stdout);
}

it.each(['--max-semi-space-size=1', '--max-semi-space-size=16', '--max-semi-space-size=128', '--no-warnings'])(
  'is what is allowed for old objects, with %s',
  async flag => {
    expect(await found('--max-old-space-size=256', flag)).toBe(256);
  },
);

it('does not depend on the room for new objects where V8 chooses the rest', async () => {
  const usual = await found();
  expect(await found('--max-semi-space-size=128')).toBe(usual);
});

it('is nearly all of a limit for the whole heap', async () => {
  const megabytes = await found('--max-heap-size=256');
  expect(megabytes).toBeGreaterThan(256 * 0.9);
  expect(megabytes).toBeLessThan(256);
});
