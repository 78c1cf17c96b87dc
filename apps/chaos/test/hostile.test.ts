import { Command } from './command.ts';

const hostile = new Command('hostile/main.js');

// Elsewhere there are no other addresses than 127.0.0.1 without further ado, and no /proc.
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('the hostile client', () => {
  it('says what is wrong with its options', async () => {
    const unknown = await hostile.run(['--attacks', 'http-page,flood']);
    expect(unknown.output).toMatch(/^There is no attack "flood"\. There are: tcp-silent, .*\.\n$/);
    expect(unknown.code).toBe(2);
    expect((await hostile.run(['--minutes', 'x'])).output).toBe('--minutes must be a number from 0.05 to 1000.\n');
    expect((await hostile.run(['--help'])).code).toBe(0);
  });

  onLinux('stops at a signal, and leaves nothing', async () => {
    const { code, output } = await hostile.run([], 'Seed');
    expect(output).toContain('The run was given up.');
    expect(code).toBe(2);
  });
});
