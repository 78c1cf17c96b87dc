import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const waitMs = 10_000;

/**
 * Waits until the server that last wrote this pid file has ended: a cluster that was killed leaves servers that are
 * still writing their last data, and two servers on the same data would destroy it.
 * @returns the number in the file, which now belongs to no such server (perhaps to another program); undefined if there
 * is no file.
 * @throws Error when that server keeps running.
 */
export async function previousProcess(options: {
  name: string;
  pidFile: string;
  dir: string;
}): Promise<number | undefined> {
  const { name, pidFile, dir } = options;
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
    if (!(pid > 0)) return undefined;
    if (!(await isServer(pid))) return pid;
    if (performance.now() > giveUpAt) {
      throw new Error(`Another ${name} (process ${pid}) is using ${dir}. Stop it first: kill ${pid}`);
    }
    await delay(100);
  }
}

async function isServer(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    // Process numbers are used again, soon so in containers: look at what it is. One in state Z has ended.
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return /^\d+ \((postgres|redis|valkey)[^)]*\) [^Z]/.test(status);
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
