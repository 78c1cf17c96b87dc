import type { Redis } from 'ioredis';
import { type PoolLocation, poolKeys } from '../src/keys.ts';

interface Entry {
  state: string;
  node: string;
  other: string;
  sessionId: string;
  since: string;
  side: string;
}

/**
 * Fails unless the keys of a pool agree with one another.
 * @returns the users in a session that their partner's entry does not confirm
 */
export async function auditRegistry(redis: Redis, location: PoolLocation): Promise<string[]> {
  const keys = poolKeys(location);
  const entries = new Map<string, Entry>();
  const [users, queued, away] = await Promise.all([
    redis.hgetall(keys.users),
    redis.zrange(keys.queue, '0', '-1', 'WITHSCORES'),
    redis.zrange(keys.away, '0', '-1'),
  ]);
  for (const [userId, text] of Object.entries(users)) {
    const fields = /^1 ([iwp]) (\S+) \d+ \d+ (\S+) (\S+) (\S+) (\S+) \S+ \S+$/.exec(text);
    if (!fields) throw new Error(`The entry of ${userId} is ${JSON.stringify(text)}.`);
    const [, state = '', node = '', other = '', sessionId = '', since = '', side = ''] = fields;
    entries.set(userId, { state, node, other, sessionId, since, side });
  }
  const usersWhere = (is: (entry: Entry) => boolean) =>
    [...entries].filter(([, entry]) => is(entry)).map(([userId]) => userId);

  const places = Object.fromEntries(pairsOf(queued));
  const waiting = usersWhere(({ state, node }) => state === 'w' && node !== '-');
  expect(places).toEqual(Object.fromEntries(waiting.map(userId => [userId, entries.get(userId)?.since])));

  expect(away.sort()).toEqual(usersWhere(({ node }) => node === '-').sort());

  const nodes = new Set([...entries.values()].map(({ node }) => node).filter(node => node !== '-'));
  await Promise.all(
    [...nodes].map(async node => {
      const members = await redis.smembers(keys.members(node));
      expect(members).toEqual(expect.arrayContaining(usersWhere(entry => entry.node === node)));
    }),
  );

  return usersWhere(entry => {
    const bare = entry.sessionId === '-' && entry.side === '-';
    expect(bare).toBe(entry.state !== 'p');
    if (entry.state !== 'p') return false;
    const partner = entries.get(entry.other);
    if (partner?.sessionId !== entry.sessionId) return true;
    expect(entries.get(partner.other)).toBe(entry);
    expect([partner.side, partner.since]).toEqual([entry.side === 'a' ? 'b' : 'a', entry.since]);
    return false;
  });
}

function pairsOf(flat: string[]): [string, string][] {
  return flat.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []));
}
