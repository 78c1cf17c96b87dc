import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { metered } from '../../src/bench/cpu-time.ts';

/** Told to, by a line, it uses 300 ms of CPU time, half of it in a thread that lives on, and says what it really was, in µs. */
const burner = `
const { Worker } = require('node:worker_threads');
const burn = () => {
  for (const start = process.cpuUsage(); ; ) {
    const { user, system } = process.cpuUsage(start);
    if (user + system >= 150_000) return;
  }
};
const thread = new Worker(
  'const { parentPort } = require("node:worker_threads");' +
  'parentPort.on("message", () => parentPort.postMessage((' + burn + ')()));', { eval: true });
process.stdin.on('data', () => {
  const start = process.cpuUsage();
  burn();
  thread.once('message', () => {
    const { user, system } = process.cpuUsage(start);
    console.log(user + system);
  });
  thread.postMessage('burn');
});
process.stdin.on('end', () => process.exit());
thread.once('online', () => console.log('ready'));`;

// Elsewhere nothing tells.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('metered', () => {
  const children: ChildProcess[] = [];

  async function start(code: string) {
    const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  afterEach(async () => {
    for (const child of children.splice(0)) {
      // Those below it read the same input, and write to the same output.
      const closed = once(child, 'close');
      child.stdin?.end();
      await closed;
    }
  });

  it('tells what a process has used', async () => {
    const child = await start(burner);
    const { result, cpuUs } = await metered({ it: [child.pid ?? 0], none: [] }, async () => {
      child.stdin?.write('\n');
      const [line] = await once(child.stdout, 'data');
      return Number(String(line));
    });
    expect(result).toBeGreaterThan(290_000);
    expect(cpuUs.it / result).toBeGreaterThan(0.7);
    expect(cpuUs.it / result).toBeLessThan(1.3);
    expect(cpuUs.none).toBe(0);
  });

  it('counts the processes below a process, too', async () => {
    const parent = await start(`
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', ${JSON.stringify(burner)}], { stdio: ['inherit', 'inherit', 'inherit'] });`);
    const { result, cpuUs } = await metered({ it: [parent.pid ?? 0] }, async () => {
      parent.stdin?.write('\n');
      const [line] = await once(parent.stdout, 'data');
      return Number(String(line));
    });
    expect(cpuUs.it / result).toBeGreaterThan(0.7);
    expect(cpuUs.it / result).toBeLessThan(1.3);
  });

  it('fails for a process that is not there', async () => {
    const measuring = metered({ it: [2 ** 22 + 1] }, async () => {});
    await expect(measuring).rejects.toThrow('Nothing tells what the process 4194305 has used.');
  });
});
