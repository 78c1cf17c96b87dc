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

  async read(limit: number, waitMs: number): Promise<OutboxEntry[]> {
    // From the very beginning each time: what is recorded has been removed. BLOCK 0 would wait for ever.
    const reply = await this.#redis.xread('COUNT', limit, 'BLOCK', Math.max(1, waitMs), 'STREAMS', this.#key, '0-0');
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
  return Number(id.split('-', 1)[0]);
}

function decodeEntry(id: string, fields: string[]): OutboxEntry {
  const at = timeOf(id);
  try {
    return { id, at, fact: decodeFact(fields) };
  } catch (error) {
    return { id, at, fact: undefined, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Throws an error that says in a sentence what is wrong with the fields. */
function decodeFact(fields: string[]): SessionFact {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? '', fields[i + 1] ?? '');
  const text = (name: string): string => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`The entry has no field ${name}.`);
    return value;
  };
  const wholeNumber = (name: string): number => {
    const value = text(name);
    if (!/^\d{1,15}$/.test(value))
      throw new Error(`The field ${name} must be a whole number, not ${JSON.stringify(value)}.`);
    return Number(value);
  };
  const kind = text('kind');
  if (kind !== 'started' && kind !== 'ended')
    throw new Error(`The entry has the unknown kind ${JSON.stringify(kind)}.`);
  const session = {
    sessionId: text('sessionId'),
    userA: text('userA'),
    userB: text('userB'),
    startedAt: wholeNumber('startedAt'),
  };
  if (kind === 'started') return { kind, ...session };
  return {
    kind,
    ...session,
    endedAt: wholeNumber('endedAt'),
    endReason: text('endReason') as EndReason,
    messages: text('messages') === '' ? null : wholeNumber('messages'),
  };
}
