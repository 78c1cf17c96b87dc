import { seededRandom } from '../random.ts';
import type { HostileOptions } from './options.ts';
import type { Orders } from './orders.ts';

const shortestMs = 300;

export interface Turn {
  /** As the report calls it. */
  name: string;
  orders: Omit<Orders, 'target' | 'port'>;
}

/** What is done in a run, in order: each attack by itself, and then all at once. The same for the same options. */
export function schedule({ seed, packets, minutes, together }: HostileOptions, names: readonly string[]): Turn[] {
  const random = seededRandom(seed);
  const halfMs = minutes * 30_000;
  const bounds = { seed, packets: packets / 10 };
  const ms = Math.max(shortestMs, halfMs / names.length);
  // Each from another address, so that what one may not do any more is not the next one's loss.
  const turns = random
    .shuffled(names)
    .map((name, index) => ({ name, orders: { ...bounds, names: [name], address: `127.0.66.${1 + index}`, ms } }));
  const all = { ...bounds, names: [...names], address: '127.0.0.66', ms: together ? 2 * halfMs : halfMs };
  return [...(together ? [] : turns), { name: 'all at once', orders: all }];
}
