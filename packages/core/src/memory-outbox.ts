import type { Outbox, OutboxEntry } from './outbox.ts';
import type { SessionFact } from './session-fact.ts';

/** The model of {@link Outbox}. It never waits for an entry to come. */
export class MemoryOutbox implements Outbox {
  readonly #entries = new Map<string, OutboxEntry>();
  #count = 0;

  /** Adds a fact that became true at `at`, in ms since the epoch. */
  add(fact: SessionFact, at: number): void {
    const id = String(++this.#count);
    this.#entries.set(id, { id, at, fact });
  }

  async read(limit: number): Promise<OutboxEntry[]> {
    return [...this.#entries.values()].slice(0, limit);
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#entries.delete(id);
  }

  async backlog(): Promise<{ length: number; oldestAgeMs: number }> {
    const [oldest] = this.#entries.values();
    return { length: this.#entries.size, oldestAgeMs: oldest ? Date.now() - oldest.at : 0 };
  }
}
