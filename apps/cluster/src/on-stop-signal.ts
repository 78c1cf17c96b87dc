/** npm passes on a signal that the terminal has sent to us already: within this time, it is the same one. */
const sameSignalMs = 500;

/**
 * Calls `first` when somebody wants this process to stop (Ctrl-C, SIGTERM, or the terminal was closed), `second` when
 * they ask once more, and then ends the process at once: what it has started ends with it.
 * @returns a function that tells whether a signal has come
 */
export function onStopSignal({ first, second }: { first: () => Promise<void>; second: () => void }): () => boolean {
  let asked = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  const ask = (): void => {
    const now = performance.now();
    if (now - lastAt < sameSignalMs) return;
    lastAt = now;
    asked += 1;
    if (asked === 1) void first();
    else if (asked === 2) second();
    else process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
  // A terminal that was closed cannot be written to. That must not disturb the stop.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  return () => asked > 0;
}
