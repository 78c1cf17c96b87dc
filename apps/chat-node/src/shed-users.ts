import type { ChatService, Clients } from '@passerby/core';

/** How many are ended at a time: at least so many, or this share of those whose turn it is. */
const atLeast = 50;
const share = 0.1;
/** Above this share of memory, those who wait are ended too, and above that one those in chats. */
const waitingFrom = 0.93;
const pairedFrom = 0.96;

/**
 * Ends connections of a node whose memory is nearly full: of users who are idle, then of those who wait, and of those who are in
 * a chat last. They come back by themselves, to another node if there is one.
 * @returns how many
 */
export function shedUsers({
  service,
  clients,
  full,
}: {
  service: Pick<ChatService, 'present'>;
  clients: Pick<Clients, 'close'>;
  full: number;
}): number {
  const states = ['idle', ...(full > waitingFrom ? ['waiting'] : []), ...(full > pairedFrom ? ['paired'] : [])];
  const users = service.present;
  const found = states.map(state => users.filter(user => user.state === state)).find(({ length }) => length > 0) ?? [];
  const shed = found.slice(0, Math.max(atLeast, Math.ceil(found.length * share)));
  for (const { userId } of shed) clients.close(userId);
  return shed.length;
}
