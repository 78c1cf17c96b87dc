import { join } from 'node:path';
import { writeHistory } from '../src/history-file.ts';
import { Command } from './command.ts';
import { WrittenHistory } from './write-history.ts';

const minuteMs = 60_000;
const chaos = new Command('main.js');

// Elsewhere the processes below PostgreSQL cannot be found, to stop them too.
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('the chaos harness', () => {
  it('says what is wrong with its options', async () => {
    const { code, output } = await chaos.run(['--faults', 'flood']);
    expect(output).toMatch(/^There is no fault "flood"\. There are: node-kill, .*\.\n$/);
    expect(code).toBe(2);
    const none = join(chaos.dir, 'none');
    expect(await chaos.run(['--replay', none])).toEqual({
      code: 2,
      output: `The history ${none} cannot be read (ENOENT).\n`,
    });
    expect((await chaos.run(['--help'])).code).toBe(0);
  });

  it('reads a history again, and says what is wrong in it', async () => {
    const file = join(chaos.dir, 'history.jsonl');
    const good = new WrittenHistory().come('ann', 'bob', 'eve').pair('s', 2, 'ann', 'bob').part('s', 20, 'ann', 'bob');
    await writeHistory(file, good.history());
    expect(await chaos.run(['--replay', file])).toMatchObject({
      code: 0,
      output: expect.stringContaining('No violation.'),
    });
    const wrong = good.pair('t', 5, 'bob', 'eve').part('t', 9, 'eve', 'bob');
    await writeHistory(file, wrong.history());
    const { code, output } = await chaos.run(['--replay', file]);
    expect(output).toMatch(/violations: .*\d+ × double session\b/);
    expect(code).toBe(1);
  });

  onLinux(
    'stops at a signal, and leaves nothing',
    async () => {
      // The first thing that it says comes before anything is started.
      const { code, output } = await chaos.run(['--minutes', '1'], 'Starting');
      expect(output).toContain('The run was given up.');
      expect(code).toBe(2);
    },
    minuteMs,
  );
});
