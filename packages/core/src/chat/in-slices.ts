import type { Clock } from '../clock.ts';

/**
 * So many users are dealt with before others get their turn. To tell a client something, or to give a command, takes 10 to 50 µs:
 * a turn of the event loop stays at a few ms, while 10,000 users at once would hold up every message, and the heartbeat, for half a
 * second. A script that serves as many takes Redis one to three ms. With fewer, the turns themselves would cost more.
 */
const sliceOf = 100;

/** Does something with many, a slice in each turn of the event loop, and the first one at once. Resolves when all is done. */
export async function inSlices<Item>(clock: Clock, items: Item[], act: (slice: Item[]) => unknown): Promise<void> {
  for (let at = 0; at < items.length; at += sliceOf) {
    if (at > 0) await clock.nextTurn();
    await act(items.slice(at, at + sliceOf));
  }
}
