import type { SessionSide, UserChange } from '@passerby/core';
import type { EndReason } from '@passerby/protocol';

/** A change as the scripts write it. */
interface EncodedChange {
  userId: string;
  revision: number;
  state: 'i' | 'w' | 'p';
  session?: SessionSide;
  ended?: { sessionId: string; reason: EndReason };
}

/** Reads a change that a script wrote. Throws when it is not one. */
export function decodeChange({ userId, revision, state, session, ended }: EncodedChange): UserChange {
  const base = { userId, revision, ...(ended && { ended }) };
  if (state === 'i') return { ...base, state: 'idle' };
  if (state === 'w') return { ...base, state: 'waiting' };
  if (state === 'p' && session) return { ...base, state: 'paired', session };
  throw new Error(`A script wrote a change with the unknown state ${JSON.stringify(state)}.`);
}

export function parseChange(json: string): UserChange {
  return decodeChange(JSON.parse(json) as EncodedChange);
}
