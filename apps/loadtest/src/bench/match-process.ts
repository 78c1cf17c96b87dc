import type { MatchCommands } from './match-worker.ts';
import { WorkerProcess } from './worker-process.ts';

export type MatchProcess = WorkerProcess<MatchCommands>;

/** Starts a process that matches users. */
export function startMatcher(): MatchProcess {
  return new WorkerProcess<MatchCommands>('match-worker');
}
