import type { SessionFact } from '@passerby/core';

/**
 * Goes through the facts of a pool from the first one on and checks at each that nobody is in two sessions, and that no
 * session begins or ends twice.
 * @returns the sessions that are still open, each with its two users
 */
export function replayFacts(facts: readonly SessionFact[]): Map<string, [string, string]> {
  const open = new Map<string, [string, string]>();
  const seen = new Set<string>();
  const busy = new Map<string, string>();
  for (const { kind, sessionId, userA, userB } of facts) {
    const users: [string, string] = [userA, userB];
    if (kind === 'started') {
      if (seen.has(sessionId)) throw new Error(`Session ${sessionId} began twice.`);
      for (const user of users) {
        if (busy.has(user)) throw new Error(`${user} is in ${busy.get(user)} and in ${sessionId}.`);
        busy.set(user, sessionId);
      }
      seen.add(sessionId);
      open.set(sessionId, users);
    } else {
      if (open.get(sessionId)?.join() !== users.join())
        throw new Error(`Session ${sessionId} ended without being open.`);
      open.delete(sessionId);
      for (const user of users) busy.delete(user);
    }
  }
  return open;
}
