import { setTimeout as delay } from 'node:timers/promises';
import { type Outbox, type OutboxEntry, RefusedFactsError, type SessionFact, type SessionLog } from '@passerby/core';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

/** How long one read waits for a first entry; also the longest that a stop waits for the read in hand. */
const readWaitMs = 1_000;
const firstRetryMs = 100;
const longestRetryMs = 5_000;
const measureEveryMs = 1_000;

export interface RecorderOptions {
  pool: string;
  outbox: Outbox;
  sessionLog: SessionLog;
  /** Facts in one write, at most. */
  batchSize: number;
  metrics: Metrics;
  log: Logger;
}

type ReadableEntry = Extract<OutboxEntry, { fact: SessionFact }>;
type Step = 'read' | 'write' | 'remove';
type Condition = 'starting' | 'recording' | `${Step} fails`;

/**
 * Moves the facts of one pool from the outbox into the session log: read, write, remove, again and again.
 *
 * An entry is removed only after the log has committed it, so a fact is written at least once, whatever fails and when;
 * the log makes twice the same as once. A failure is retried for ever, with growing pauses. A fact whose data
 * the log refuses would fail for ever: it is found by halving its batch, reported, and left in the outbox, and the
 * others go on. So is an entry that cannot be read. Both are tried again after a restart.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #stopping = new AbortController();
  /** Ids of the entries left in the outbox. They come back with every read, ahead of the others. */
  readonly #refused = new Set<string>();
  #running: Promise<void> | undefined;
  #step: Step = 'read';
  #condition: Condition = 'starting';
  /** When to end, on the clock of `performance.now()`. */
  #deadline = Number.POSITIVE_INFINITY;
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Whether the last round went well. */
  get isRecording(): boolean {
    return this.#condition === 'recording';
  }

  /** Begins. Does nothing once it was told to stop. */
  start(): void {
    if (!this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  /**
   * Finishes the batch in hand, then records what waits, until none is left, something fails, or `drainMs` have
   * passed. What is not recorded by then stays in the outbox for the next recorder.
   */
  async stop(drainMs = 5_000): Promise<void> {
    this.#deadline = performance.now() + drainMs;
    this.#stopping.abort();
    const drained = new AbortController();
    const tooLong = delay(drainMs, undefined, { signal: drained.signal }).catch(() => {});
    await Promise.race([this.#running, tooLong]);
    drained.abort();
  }

  async #run(): Promise<void> {
    let retryMs = firstRetryMs;
    while (performance.now() < this.#deadline) {
      const draining = this.#stopping.signal.aborted;
      try {
        const found = await this.#round(draining ? 0 : readWaitMs);
        if (draining && !found) return;
        retryMs = firstRetryMs;
        this.#enter('recording');
      } catch (error) {
        this.#options.metrics.failures.inc({ pool: this.#options.pool });
        this.#enter(`${this.#step} fails`, error);
        if (draining) return;
        await this.#pause(retryMs * (0.5 + Math.random() / 2));
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      }
      await this.#measure();
    }
  }

  /** Reads once and records what it finds. Answers whether it found anything new. */
  async #round(waitMs: number): Promise<boolean> {
    const { outbox, batchSize } = this.#options;
    this.#step = 'read';
    const entries = await outbox.read(batchSize + this.#refused.size, waitMs);
    const fresh = entries.filter(({ id }) => !this.#refused.has(id));
    // Refused entries make every read answer at once, so the wait for new ones is here.
    if (entries.length > 0 && fresh.length === 0 && waitMs > 0) await this.#pause(waitMs);
    const readable: ReadableEntry[] = [];
    for (const entry of fresh) {
      if (entry.fact) readable.push(entry);
      else this.#refuse(entry.id, { problem: entry.problem }, 'An entry cannot be read');
    }
    if (readable.length > 0) await this.#record(readable);
    else await this.#check();
    return fresh.length > 0;
  }

  /** Without anything to write, a log that cannot be written must show all the same. */
  async #check(): Promise<void> {
    this.#step = 'write';
    await this.#options.sessionLog.check();
  }

  async #record(entries: ReadableEntry[]): Promise<void> {
    const { pool, outbox, sessionLog, metrics } = this.#options;
    this.#step = 'write';
    try {
      await sessionLog.write(entries.map(({ fact }) => fact));
    } catch (error) {
      if (!(error instanceof RefusedFactsError)) throw error;
      const [entry] = entries;
      if (entry && entries.length === 1) {
        const { sessionId, kind } = entry.fact;
        return this.#refuse(entry.id, { sessionId, kind, err: error }, 'A session fact is refused');
      }
      const half = Math.ceil(entries.length / 2);
      await this.#record(entries.slice(0, half));
      return this.#record(entries.slice(half));
    }
    metrics.batches.inc({ pool });
    for (const { fact } of entries) metrics.facts.inc({ pool, kind: fact.kind });
    this.#step = 'remove';
    await outbox.remove(entries.map(({ id }) => id));
  }

  #refuse(entryId: string, details: object, what: string): void {
    const { pool, metrics, log } = this.#options;
    this.#refused.add(entryId);
    metrics.refused.set({ pool }, this.#refused.size);
    log.error({ pool, entryId, ...details }, `${what} and stays in the outbox.`);
  }

  /** A line in the log when things change, and not for every try. */
  #enter(condition: Condition, error?: unknown): void {
    if (condition === this.#condition) return;
    this.#condition = condition;
    const { pool, log } = this.#options;
    if (condition === 'recording') log.info({ pool }, 'Recording.');
    else
      log.error(
        { pool, err: error },
        `Recording is interrupted (${condition}); nothing is lost, and it is tried again.`,
      );
  }

  async #measure(): Promise<void> {
    if (performance.now() - this.#measuredAt < measureEveryMs) return;
    this.#measuredAt = performance.now();
    const { pool, outbox, metrics } = this.#options;
    try {
      const { length, oldestAgeMs } = await outbox.backlog();
      metrics.backlog.set({ pool }, length);
      metrics.lagSeconds.set({ pool }, oldestAgeMs / 1_000);
    } catch {
      // The next read fails for the same reason, and tells.
    }
  }

  /** Waits, but not past a stop. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
