import type { LoadCommands } from './load-worker.ts';
import { WorkerProcess } from './worker-process.ts';

export type LoadProcess = WorkerProcess<LoadCommands>;

/** Starts a process that plays the clients, so that what they cost is not counted among the servers' cost. */
export function startLoad(): LoadProcess {
  return new WorkerProcess<LoadCommands>('load-worker');
}
