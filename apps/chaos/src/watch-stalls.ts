import type { Recording } from './history.ts';

const everyMs = 100;
/** Shorter ones are lost in the bounds. */
const worthNotingMs = 400;

/** Notes when this process itself stood still: what clients saw then, they saw late. Returns how to stop watching. */
export function watchStalls(recording: Recording): () => void {
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const lateMs = now - last - everyMs;
    if (lateMs > worthNotingMs) recording.add({ kind: 'stall', ms: lateMs });
    last = now;
  }, everyMs);
  return () => clearInterval(timer);
}
