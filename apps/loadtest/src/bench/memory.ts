import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type ProcessMemory, readMemory } from '../linux-processes.ts';

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
  const { ownBytes, sharedBytes } = memory(pid);
  return ownBytes + sharedBytes;
}

/** The most that it ever had, in bytes. */
export function peakMemoryOf(pid: number): number {
  return memory(pid).peakBytes;
}

function memory(pid: number): ProcessMemory {
  const found = readMemory(pid);
  if (!found) throw new Error(`Nothing tells what the process ${pid} has in memory.`);
  return found;
}
