import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outbox, OutboxEntry, SessionFact } from '@passerby/core';

/** An outbox to watch: `removed` tells which entries are gone, and `failWith` makes every call reject. */
export class MemoryOutbox implements Outbox {
  failWith: Error | undefined;
  readonly entries: OutboxEntry[] = [];
  readonly #events = new EventEmitter();
  #nextId = 1;

  add(...facts: SessionFact[]): void {
    for (const fact of facts) this.entries.push({ id: String(this.#nextId++), at: Date.now(), fact });
    this.#events.emit('changed');
  }

  async read(limit: number, waitMs: number): Promise<OutboxEntry[]> {
    if (this.failWith) throw this.failWith;
    if (this.entries.length === 0 && waitMs > 0) {
      const stop = new AbortController();
      const added = once(this.#events, 'changed', { signal: stop.signal });
      await Promise.race([added, delay(Math.min(waitMs, 20), undefined, { signal: stop.signal })]);
      stop.abort();
      await added.catch(() => {});
    }
    return this.entries.slice(0, limit);
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (this.failWith) throw this.failWith;
    for (const id of ids) {
      const index = this.entries.findIndex(entry => entry.id === id);
      if (index >= 0) this.entries.splice(index, 1);
    }
    this.#events.emit('changed');
  }

  async backlog(): Promise<{ length: number; oldestAgeMs: number }> {
    const [oldest] = this.entries;
    return { length: this.entries.length, oldestAgeMs: oldest ? Date.now() - oldest.at : 0 };
  }

  /** Resolves when at most `count` entries are left. */
  async shrunkTo(count: number): Promise<void> {
    while (this.entries.length > count) await once(this.#events, 'changed');
  }
}
