import type { Timeline, Violation } from '../timeline.ts';

/** When everybody has left, only the leases of the nodes that run are in Redis. */
export function checkLeftovers({ history, closingAt }: Timeline): Violation[] {
  const { keys, leases, nodes, leasesLeft } = history.end;
  const texts = keys.map(line => `Redis still holds ${line}.`);
  for (const id of leases.filter(id => !nodes.includes(id)))
    texts.push(`The lease of node ${id}, which is gone, was left.`);
  for (const id of nodes.filter(id => !leases.includes(id))) texts.push(`Node ${id} runs without a lease.`);
  for (const id of leasesLeft) texts.push(`Node ${id} stopped in good order and left its lease.`);
  return texts.map(text => ({ check: 'leftovers', at: closingAt, text, users: [] }));
}
