import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { ServerProcess, type ServerProcessOptions } from '../src/server-process.ts';
import { temporaryDir } from './temporary-dir.ts';

const compiled = pathToFileURL(join(__dirname, '../dist/server-process.js')).href;

async function shell(script: string, options: Partial<ServerProcessOptions> = {}): Promise<ServerProcess> {
  const dir = await temporaryDir();
  return new ServerProcess({
    name: 'The shell',
    command: 'sh',
    args: ['-c', script],
    env: process.env,
    logFile: join(dir, 'logs/shell.log'),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 20_000,
    ...options,
  });
}

/** Whether the process ends within a few seconds; polls, for it is nobody's child any more. */
async function ends(pid: number): Promise<boolean> {
  for (let turn = 0; turn < 200; turn += 1) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'Z');
    if (/Z/.test(status.replace(/\(.*\)/, ''))) return true;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  return false;
}

describe('ServerProcess', () => {
  it('appends what the program writes to the log, and tells how it ended', async () => {
    const logFile = join(await temporaryDir(), 'deep/down.log');
    await (await shell('echo one; echo two >&2; exit 3', { logFile })).ended;
    const again = await shell('echo three; kill -9 $$', { logFile });
    await expect(again.ended).resolves.toEqual({ code: null, how: 'ended by SIGKILL' });
    await expect(readFile(logFile, 'utf8')).resolves.toBe('one\ntwo\nthree\n');
  });

  it('waits until the program is ready', async () => {
    const sleeper = await shell('exec sleep 60');
    let asked = 0;
    await sleeper.untilReady(async () => ++asked === 3, 60_000);
    expect(asked).toBe(3);
    await sleeper.stop();
    await sleeper.stop();
    await expect(sleeper.ended).resolves.toEqual({ code: null, how: 'ended by SIGTERM' });
  });

  it('says how the program failed, with the end of its log', async () => {
    const failing = await shell('echo the reason; exit 7');
    await expect(failing.untilReady(async () => false, 10_000)).rejects.toThrow(
      /^The shell ended with code 7 instead of starting\. The last lines of .*shell\.log:\nthe reason$/,
    );
    const silent = await shell('exit 1');
    await expect(silent.untilReady(async () => false, 10_000)).rejects.toThrow(/Its log .* is empty/);
  });

  it('stops a program that does not become ready in time', async () => {
    const slow = await shell('exec sleep 60');
    await expect(slow.untilReady(async () => false, 100)).rejects.toThrow('The shell was not ready after 0.1 s');
    await expect(slow.ended).resolves.toMatchObject({ code: null });
  });

  it('tells when there is no such program', async () => {
    const missing = await shell('', { command: '/nonexistent/program', args: [] });
    await expect(missing.untilReady(async () => false, 10_000)).rejects.toThrow('/nonexistent/program');
    await missing.stop();
  });

  it('kills a program, with what it started, when it does not stop in time', async () => {
    const logFile = join(await temporaryDir(), 'log');
    const stubborn = await shell('trap "" TERM; sleep 60 & echo $!; while :; do sleep 60; done', {
      logFile,
      stopTimeoutMs: 100,
    });
    let text = '';
    await stubborn.untilReady(async () => {
      text = await readFile(logFile, 'utf8');
      return text !== '';
    }, 10_000);
    await stubborn.stop();
    await expect(stubborn.ended).resolves.toEqual({ code: null, how: 'ended by SIGKILL' });
    await expect(ends(Number(text))).resolves.toBe(true);
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;

  onLinux('has a process group of its own', async () => {
    const sleeper = await shell('exec sleep 60');
    const group = (await readFile(`/proc/${sleeper.pid}/stat`, 'utf8')).split(' ')[4];
    expect(group).toBe(String(sleeper.pid));
    await sleeper.stop();
  });

  onLinux('does not outlive us when we are killed', async () => {
    const logFile = join(await temporaryDir(), 'log');
    const script = `import { ServerProcess } from ${JSON.stringify(compiled)};
      const child = new ServerProcess({ name: 'x', command: 'sleep', args: ['60'], env: process.env,
        logFile: ${JSON.stringify(logFile)}, stopSignal: 'SIGTERM', stopTimeoutMs: 1000 });
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(parent.stdout), 'line');
    const pid = Number(line);
    // What setpriv becomes is the program itself, from then on bound to its parent.
    while (!(await readFile(`/proc/${pid}/comm`, 'utf8')).startsWith('sleep')) await new Promise(setImmediate);
    parent.kill('SIGKILL');
    await expect(ends(pid)).resolves.toBe(true);
  });
});
