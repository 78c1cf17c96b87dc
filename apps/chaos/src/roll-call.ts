import type { Recording } from './history.ts';
import type { Person } from './person.ts';
import { reality } from './setting.ts';

const messagesEach = 5;

/**
 * When all is healed: everybody who is there leaves what they are in and looks for a partner, says something, and leaves.
 * The checker then asks that everybody was matched and every word arrived.
 */
export async function rollCall(
  people: readonly Person[],
  recording: Recording,
  boundMs: number,
  { world, now } = reality,
): Promise<void> {
  const delay = (ms: number) => new Promise<void>(resolve => world.setTimeout(resolve, ms));
  const participants = people.map(({ participant }) => participant);
  const all = (test: (participant: (typeof participants)[number]) => boolean) => () => participants.every(test);
  const within = async (ready: () => boolean) => {
    const giveUpAt = now() + boundMs;
    while (!ready() && now() < giveUpAt) await delay(50);
  };
  // Whoever is just losing the connection comes back first: a client may still find out about the last fault.
  const giveUpAt = now() + 3 * boundMs;
  const settled = all(({ state }) => state !== 'gone' && state !== 'connecting' && state !== 'away');
  while (!settled() && now() < giveUpAt) {
    for (const participant of participants) if (participant.state === 'gone') participant.connect();
    await delay(250);
  }
  for (const participant of participants) participant.end();
  await within(all(({ state }) => state === 'idle'));
  recording.add({ kind: 'phase', phase: 'roll-call' });
  for (const participant of participants) participant.search();
  await within(all(({ state }) => state === 'paired'));
  for (let n = 0; n < messagesEach; n++) for (const participant of participants) participant.send();
  // Those who are in a chat have been in it for a moment now; what was said in it must have arrived by the end of this.
  await delay(3000);
  recording.add({ kind: 'phase', phase: 'closing' });
  for (const participant of participants) participant.leave();
}
