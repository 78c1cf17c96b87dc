import type { SessionFact } from '@passerby/core';
import type { SessionRow } from '../history.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedRedis } from './simulated-redis.ts';

const everyMs = 500;

/** The recorder, and the rows that it has written. */
export class SimulatedRecorder {
  readonly #scheduler: Scheduler;
  readonly #redis: SimulatedRedis;
  readonly #rows = new Map<string, SessionRow>();

  constructor(scheduler: Scheduler, redis: SimulatedRedis) {
    this.#scheduler = scheduler;
    this.#redis = redis;
    this.#again();
  }

  get rows(): SessionRow[] {
    return [...this.#rows.values()];
  }

  /** Closes what Redis has lost the end of. To call when nobody is in a session any more. */
  closeLost(): void {
    for (const row of this.#rows.values()) {
      if (row.endedAt !== null) continue;
      row.endedAt = this.#redis.date;
      row.endReason = 'lost';
    }
  }

  #again(): void {
    this.#scheduler.after(everyMs, 'recorder', () => void this.#record().then(() => this.#again()));
  }

  async #record(): Promise<void> {
    if (!this.#redis.isOpen) return;
    const entries = await this.#redis.outbox.read(Number.MAX_SAFE_INTEGER, 0);
    for (const { fact } of entries) if (fact) this.#write(fact);
    await this.#redis.outbox.remove(entries.map(({ id }) => id));
  }

  /** As the session log does: in any order, and the first end that somebody saw stays. */
  #write(fact: SessionFact): void {
    const { sessionId: id, userA, userB, startedAt } = fact;
    const row = this.#rows.get(id) ?? { id, userA, userB, startedAt, endedAt: null, endReason: null };
    this.#rows.set(id, row);
    if (fact.kind !== 'ended' || (row.endedAt !== null && row.endReason !== 'lost')) return;
    row.endedAt = fact.endedAt;
    row.endReason = fact.endReason;
  }
}
