import { setTimeout as delay } from 'node:timers/promises';
import type { ChatService, Clients } from '@passerby/core';

/** Users are moved in waves that are about so far apart. */
const waveMs = 100;

export interface DrainOptions {
  service: ChatService;
  clients: Clients;
  /** How long users may stay. */
  drainMs: number;
  /** Ends the drain early. */
  signal: AbortSignal;
}

/**
 * Empties a node that takes no new users any more. Clients that can resume are moved away in waves, over the first half of
 * the time, so that they do not all come to the other nodes at once; plain ones as soon as they are in no chat. Resolves
 * when nobody is left, or the time is over.
 */
export async function drain({ service, clients, drainMs, signal }: DrainOptions): Promise<void> {
  const startedAt = performance.now();
  const elapsedMs = () => performance.now() - startedAt;
  while (service.present.length > 0 && elapsedMs() < drainMs && !signal.aborted) {
    const movable = service.present.filter(user => user.resumes || user.state === 'idle');
    const wavesLeft = Math.max(1, Math.floor((drainMs / 2 - elapsedMs()) / waveMs));
    for (const { userId } of someOf(movable, Math.ceil(movable.length / wavesLeft))) clients.close(userId);
    await delay(Math.min(waveMs * (0.5 + Math.random()), drainMs / 4), undefined, { signal }).catch(() => undefined);
  }
}

function someOf<Item>(items: Item[], count: number): Item[] {
  const start = Math.floor(Math.random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)].slice(0, count);
}
