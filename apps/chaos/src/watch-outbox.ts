import { setTimeout as delay } from 'node:timers/promises';
import type { Recording } from './history.ts';
import type { World } from './world.ts';

const everyMs = 500;
const key = 'passerby:{lobby}:outbox';

/** Writes down how many facts wait to be recorded, as often as Redis says so, until `stop` aborts. Never rejects. */
export async function watchOutbox(world: World, recording: Recording, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const waiting = await waitingFacts(world).catch(() => undefined);
    if (waiting !== undefined) recording.add({ kind: 'outbox', waiting });
    await delay(everyMs, undefined, { signal: stop }).catch(() => {});
  }
}

/** Rejects while Redis does not answer. */
async function waitingFacts(world: World): Promise<number> {
  const redis = world.connectRedis();
  return redis.xlen(key).finally(() => redis.disconnect());
}
