import type { Answer, Commands } from './worker-process.ts';

/** Makes this process do what its parent tells, and end with it. */
export function serveCommands(commands: Commands): void {
  // Ctrl-C reaches all processes of a terminal. The parent decides what comes of it.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('message', async ({ name, input }: { name: string; input: never }) => {
    const answer = (answer: Answer) => process.send?.(answer);
    try {
      answer({ output: await commands[name]?.(input) });
    } catch (error) {
      answer({ error: (error as Error).stack ?? String(error) });
    }
  });
  process.on('disconnect', () => process.exit());
}
