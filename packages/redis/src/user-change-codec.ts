import type { KnownUser, PresentUserChange, SessionSide, UserChange } from '@passerby/core';
import type { EndReason } from '@passerby/protocol';

/** A change as the scripts write it. */
export interface EncodedChange {
  userId: string;
  revision: number;
  state: 'i' | 'w' | 'p' | 'g' | 'a';
  session?: SessionSide;
  ended?: { sessionId: string; reason: EndReason };
  unconfirmed?: true;
}

/** Reads a change that a script wrote. Throws when it is not one. */
export function decodeChange(encoded: EncodedChange): UserChange {
  const { userId, revision, state, ended, unconfirmed } = encoded;
  if (state === 'g') return { userId, revision, state: 'gone' };
  if (state === 'a') return { userId, revision, state: 'away' };
  const change = presentChange(encoded);
  // Added, not spread: this is done for every change that a node hears of.
  if (ended) change.ended = ended;
  if (unconfirmed) change.unconfirmed = unconfirmed;
  return change;
}

function presentChange({ userId, revision, state, session }: EncodedChange): PresentUserChange {
  if (state === 'i') return { userId, revision, state: 'idle' };
  if (state === 'w') return { userId, revision, state: 'waiting' };
  if (state === 'p' && session) return { userId, revision, state: 'paired', session };
  throw new Error(`A script wrote a change with the unknown state ${JSON.stringify(state)}.`);
}

export function parseChange(json: string): UserChange {
  return decodeChange(JSON.parse(json) as EncodedChange);
}

/** Writes users as sync-users.lua reads them. */
export function encodeKnownUsers(users: readonly KnownUser[]): string {
  return JSON.stringify(
    users.map(user => {
      const { userId, revision, requestId, token = '-', parted = '-' } = user;
      const base = { userId, revision, requestId, token, state: user.state.charAt(0), other: parted };
      if (user.state !== 'paired') return base;
      const { sessionId, partnerId, partnerNode, startedAt, side } = user.session;
      // As text: Lua would write so large a number with an exponent.
      return { ...base, other: partnerId, sessionId, partnerNode, startedAt: String(startedAt), side };
    }),
  );
}
