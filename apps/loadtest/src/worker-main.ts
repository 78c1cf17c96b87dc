import { LoadWorker } from './load-worker.ts';

/** A command of the coordinator, and the answer to it. */
interface Command {
  id: number;
  name: keyof LoadWorker;
  args: unknown[];
}

const worker = new LoadWorker();

// Ctrl-C reaches all processes of a terminal. The coordinator decides what comes of it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

process.on('message', ({ id, name, args }: Command) => {
  const run = worker[name] as (...args: unknown[]) => unknown;
  void (async () => {
    const result = await run.apply(worker, args);
    process.send?.({ id, result });
  })();
});
