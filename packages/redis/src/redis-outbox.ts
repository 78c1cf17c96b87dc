import type { Backlog, Outbox, OutboxEntry, SessionFact } from '@passerby/core';
import type { EndReason } from '@passerby/protocol';
import type { Redis } from 'ioredis';
import { type PoolLocation, poolKeys } from './keys.ts';
import { defineScripts } from './scripts.ts';

/**
 * {@link Outbox} as a Redis stream. What is set aside goes to a second stream. Nothing trims either of them: an entry is
 * there until it is removed or moved to the other.
 */
export class RedisOutbox implements Outbox {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #refusedKey: string;

  /** @param redis a connection of its own, for its reads block; its command timeout must be longer than they wait */
  constructor(redis: Redis, location: PoolLocation) {
    defineScripts(redis);
    this.#redis = redis;
    const { outbox, refused } = poolKeys(location);
    this.#key = outbox;
    this.#refusedKey = refused;
  }

  async read(limit: number, waitMs: number, after = '0-0'): Promise<OutboxEntry[]> {
    // BLOCK 0 would wait for ever.
    const reply = await (waitMs > 0
      ? this.#redis.xread('COUNT', limit, 'BLOCK', waitMs, 'STREAMS', this.#key, after)
      : this.#redis.xread('COUNT', limit, 'STREAMS', this.#key, after));
    const entries = reply?.[0]?.[1] ?? [];
    return entries.map(([id, fields]) => decodeEntry(id, fields));
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#redis.xdel(this.#key, ...ids);
  }

  async setAside(id: string, reason: string): Promise<void> {
    await this.#redis.setAsideFact(this.#key, this.#refusedKey, id, reason);
  }

  retry(limit: number): Promise<number> {
    return this.#redis.retryFacts(this.#key, this.#refusedKey, limit);
  }

  async backlog(): Promise<Backlog> {
    const [length, setAside, [oldest], [seconds, microseconds]] = await Promise.all([
      this.#redis.xlen(this.#key),
      this.#redis.xlen(this.#refusedKey),
      this.#redis.xrange(this.#key, '-', '+', 'COUNT', 1),
      this.#redis.time(),
    ]);
    const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
    return { length, oldestAgeMs: oldest ? Math.max(0, nowMs - timeOf(oldest[0])) : 0, setAside };
  }
}

/** A stream id begins with the ms since the epoch at which Redis made it. */
function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

function decodeEntry(id: string, fields: string[]): OutboxEntry {
  const at = timeOf(id);
  try {
    return { id, at, fact: decodeFact(fields) };
  } catch (error) {
    return { id, at, fact: undefined, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** What the fields of a fact are called, in the order in which its text has them. */
const names = ['kind', 'sessionId', 'userA', 'userB', 'startedAt', 'endedAt', 'endReason', 'messages'] as const;

/** Throws an error that says in a sentence what is wrong with the fields of an entry. */
function decodeFact(fields: string[]): SessionFact {
  const values = fields[0] === 'fact' ? (fields[1] ?? '').split(' ') : namedValues(fields);
  const text = (index: number): string => {
    const value = values[index];
    if (value === undefined) throw new Error(`The entry has no field ${names[index]}.`);
    return value;
  };
  const wholeNumber = (index: number): number => {
    const value = text(index);
    if (!/^\d{1,15}$/.test(value))
      throw new Error(`The field ${names[index]} must be a whole number, not ${JSON.stringify(value)}.`);
    return Number(value);
  };
  const kind = text(0);
  if (kind !== 'started' && kind !== 'ended')
    throw new Error(`The entry has the unknown kind ${JSON.stringify(kind)}.`);
  const [sessionId, userA, userB, startedAt] = [text(1), text(2), text(3), wholeNumber(4)];
  if (kind === 'started') return { kind, sessionId, userA, userB, startedAt };
  const [endedAt, endReason] = [wholeNumber(5), text(6) as EndReason];
  const messages = text(7) === '-' ? null : wholeNumber(7);
  return { kind, sessionId, userA, userB, startedAt, endedAt, endReason, messages };
}

/** The values of a fact that a node of the version before wrote: each is a field of the entry, by its name. */
function namedValues(fields: string[]): (string | undefined)[] {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? '', fields[i + 1] ?? '');
  if (values.get('messages') === '') values.set('messages', '-');
  return names.map(name => values.get(name));
}
