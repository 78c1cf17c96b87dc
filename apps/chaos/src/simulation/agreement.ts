import type { Person } from '../person.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/**
 * What only a simulation can see, once all is quiet: clients, nodes and the registry say the same of everybody, and both sides of
 * a session say that they are in it.
 */
export function checkAgreement(people: readonly Person[], { nodes, redis }: SimulatedWorld): string[] {
  const found: string[] = [];
  const sides = new Map<string, string[]>();
  const entries = new Map(redis.store.users.map(user => [user.userId, user]));
  const homes = new Map<string, string>();
  for (const node of nodes) {
    for (const { userId, state } of node.service.present) {
      const home = homes.get(userId);
      if (home !== undefined) found.push(`User ${userId} is on ${home} and on ${node.name}.`);
      homes.set(userId, node.name);
      const { sessionId } = node.service.stateOf(userId);
      const entry = entries.get(userId);
      const registered = entry ? `${entry.state} ${entry.sessionId} ${entry.nodeId}` : 'idle undefined undefined';
      const isSame = entry
        ? entry.state === state && entry.sessionId === sessionId && entry.nodeId === node.lease.nodeId
        : state === 'idle';
      if (!isSame) found.push(`${node.name} has ${userId} as ${state} ${sessionId}, the registry as ${registered}.`);
      if (!node.front.users.has(userId)) found.push(`${node.name} has ${userId}, and no connection of theirs.`);
      if (sessionId !== undefined) sides.set(sessionId, [...(sides.get(sessionId) ?? []), userId]);
    }
    for (const userId of node.front.users.keys()) {
      if (homes.get(userId) !== node.name) found.push(`${node.name} has a connection of ${userId}, who is not there.`);
    }
    if (node.front.open > 0) found.push(`${node.name} has not answered ${node.front.open} questions.`);
  }
  for (const [userId, { nodeId }] of entries) {
    if (nodeId !== undefined && !homes.has(userId))
      found.push(`The registry has ${userId} on ${nodeId}, and nobody is there.`);
  }
  for (const [sessionId, users] of sides) {
    const isAwaited = [...entries.values()].some(each => each.sessionId === sessionId && each.nodeId === undefined);
    if (users.length !== 2 && !isAwaited)
      found.push(`Session ${sessionId} has ${users.length} sides: ${users.join(', ')}.`);
  }
  const states = [...entries.values()].filter(({ nodeId }) => nodeId !== undefined).map(({ state }) => state);
  const waiting = states.filter(state => state === 'waiting').length;
  if (waiting > 1) found.push(`${waiting} users wait, and nobody pairs them.`);
  const believed = people.map(({ participant }) => participant.state);
  for (const state of ['waiting', 'paired'] as const) {
    const count = believed.filter(each => each === state).length;
    const actual = states.filter(each => each === state).length;
    if (count !== actual) found.push(`${count} clients believe to be ${state}, and ${actual} are.`);
  }
  return found;
}
