import { Command } from './command.ts';

const minuteMs = 60_000;
const chaos = new Command('main.js');

// Elsewhere the processes below PostgreSQL cannot be found, to stop them too.
const onLinux = process.platform === 'linux' ? it : it.skip;

onLinux(
  'the chaos harness finds nothing wrong',
  async () => {
    const { code, output } = await chaos.run(['--seed', '20', '--minutes', '0.5']);
    // The output first: if it fails, that is what one wants to see.
    expect(output).toMatch(/\nNo violation\.\n/);
    expect(code).toBe(0);
  },
  4 * minuteMs,
);
