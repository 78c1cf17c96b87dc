import { setTimeout as delay } from 'node:timers/promises';

/**
 * Repeats a check until it passes, for what no event tells. Rejects with the check's last error when it still fails after
 * `withinMs`.
 */
export async function eventually<Result>(check: () => Result | Promise<Result>, withinMs = 60_000): Promise<Result> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await delay(20);
    }
  }
}
