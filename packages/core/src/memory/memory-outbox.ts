import { type Clock, systemClock } from '../clock.ts';
import type { Backlog, Outbox, OutboxEntry } from '../recording/outbox.ts';
import type { SessionFact } from '../recording/session-fact.ts';

/** The model of {@link Outbox}, within the process. Every entry can be read. */
export class MemoryOutbox implements Outbox {
  readonly #clock: Clock;
  readonly #entries = new Map<string, OutboxEntry>();
  readonly #setAside: SessionFact[] = [];
  /** Ends the wait of each read that waits for a first entry. */
  readonly #wakes = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Adds a fact that became true at `at`, in ms since the epoch. */
  add(fact: SessionFact, at: number): void {
    const id = String(++this.#count);
    this.#entries.set(id, { id, at, fact });
    for (const wake of this.#wakes) wake();
  }

  /** The id of the entry that was added last; '0' before the first one. */
  get last(): string {
    return String(this.#count);
  }

  async read(limit: number, waitMs: number, after = '0'): Promise<OutboxEntry[]> {
    const behind = () => [...this.#entries.values()].filter(({ id }) => Number(id) > Number(after));
    if (behind().length === 0 && waitMs > 0) await this.#added(waitMs);
    return behind().slice(0, limit);
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#entries.delete(id);
  }

  async setAside(id: string, _reason: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.fact) this.#setAside.push(entry.fact);
    this.#entries.delete(id);
  }

  async retry(limit: number): Promise<number> {
    const facts = this.#setAside.splice(0, limit);
    for (const fact of facts) this.add(fact, this.#clock.date());
    return facts.length;
  }

  async backlog(): Promise<Backlog> {
    const [oldest] = this.#entries.values();
    return {
      length: this.#entries.size,
      oldestAgeMs: oldest ? this.#clock.date() - oldest.at : 0,
      setAside: this.#setAside.length,
    };
  }

  /** Resolves when an entry comes, after `waitMs` at the latest. */
  #added(waitMs: number): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        this.#clock.clearTimeout(timer);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = this.#clock.setTimeout(wake, waitMs);
      this.#wakes.add(wake);
    });
  }
}
