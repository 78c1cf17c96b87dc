import { EventEmitter, once } from 'node:events';
import { MemoryOutbox, type OutboxEntry } from '@passerby/core';

/** An outbox that can fail, and that tells when entries are gone. */
export class WatchedOutbox extends MemoryOutbox {
  /** While it is set, to read and to remove rejects with it. */
  failWith: Error | undefined;
  /** While it is set, to set aside rejects with it. */
  failAsideWith: Error | undefined;
  /** Sessions whose entries cannot be read. */
  readonly unreadable = new Set<string>();
  /** Behind which entry each read began; undefined: at the oldest. */
  readonly readsAfter: (string | undefined)[] = [];
  readonly #events = new EventEmitter();

  override async read(limit: number, waitMs: number, after?: string): Promise<OutboxEntry[]> {
    if (this.failWith) throw this.failWith;
    this.readsAfter.push(after);
    // A stop waits for the read in hand.
    const entries = await super.read(limit, Math.min(waitMs, 20), after);
    return entries.map(entry => {
      if (!entry.fact || !this.unreadable.has(entry.fact.sessionId)) return entry;
      return { id: entry.id, at: entry.at, fact: undefined, problem: 'It is in cipher.' };
    });
  }

  override async remove(ids: readonly string[]): Promise<void> {
    if (this.failWith) throw this.failWith;
    await super.remove(ids);
    this.#events.emit('removed');
  }

  override async setAside(id: string, reason: string): Promise<void> {
    if (this.failAsideWith) throw this.failAsideWith;
    await super.setAside(id, reason);
    this.#events.emit('removed');
  }

  /** Resolves when at most `count` entries are left. */
  async shrunkTo(count: number): Promise<void> {
    for (;;) {
      const removed = once(this.#events, 'removed');
      if ((await this.backlog()).length <= count) return;
      await removed;
    }
  }
}
