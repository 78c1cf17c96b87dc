import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

const settleMs = 500;

/** Has a Node.js process that runs with `--inspect` collect all its garbage, and waits until its memory stays as it is. */
export async function collectGarbage(pid: number, inspectPort: number): Promise<void> {
  const [target] = (await (await fetch(`http://127.0.0.1:${inspectPort}/json`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '');
  await once(socket, 'open');
  // Twice: what finalizers let go of is collected the second time.
  for (const id of [1, 2]) {
    socket.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }));
    await once(socket, 'message');
  }
  socket.close();
  await once(socket, 'close');
  for (let before = Number.NaN, now = memoryOf(pid); !(Math.abs(before - now) < 256 * 1024); now = memoryOf(pid)) {
    before = now;
    await delay(settleMs);
  }
}

/** What a process has in memory (RSS), in bytes. */
export function memoryOf(pid: number): number {
  return kilobytes(pid, 'VmRSS') * 1024;
}

/** The most that it ever had, in bytes. */
export function peakMemoryOf(pid: number): number {
  return kilobytes(pid, 'VmHWM') * 1024;
}

function kilobytes(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
