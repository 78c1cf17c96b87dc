import type { SessionEnded, SessionFact } from '@passerby/core';

export const pool = 'lobby';

export interface ManySessions {
  /** Each session's `started` and `ended`; most ends come some fifty sessions later, some before their own beginning. */
  facts: SessionFact[];
  /** The row of each session, in the order of the ids. */
  rows: object[];
}

/** Sessions that have begun and ended, all different. */
export function manySessions(count: number): ManySessions {
  const ends = Array.from({ length: count }, (_, n) => endedSession(n));
  const facts = ends.flatMap(({ kind, endedAt, endReason, messages, ...session }, n) => [
    { place: n, fact: { kind: 'started', ...session } satisfies SessionFact },
    { place: n % 7 === 0 ? n - 5 : n + 50, fact: { kind, ...session, endedAt, endReason, messages } },
  ]);
  const rows = ends.map(({ kind, sessionId, startedAt, endedAt, ...rest }) => ({
    id: sessionId,
    pool,
    startedAt: new Date(startedAt),
    endedAt: new Date(endedAt),
    ...rest,
  }));
  return { facts: facts.toSorted((a, b) => a.place - b.place).map(({ fact }) => fact), rows };
}

function endedSession(n: number): SessionEnded {
  const startedAt = Date.UTC(2026, 0, 1) + n;
  return {
    kind: 'ended',
    sessionId: `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`,
    userA: `a${n}`,
    userB: `b${n}`,
    startedAt,
    endedAt: startedAt + 1_000 + n,
    endReason: n % 2 === 0 ? 'skip' : 'timeout',
    messages: n % 2 === 0 ? n : null,
  };
}
