import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Backlog,
  type Outbox,
  type OutboxEntry,
  RefusedFactsError,
  type SessionFact,
  type SessionLog,
  type StatusBoard,
} from '@passerby/core';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';
import type { Sweeper } from './sweeper.ts';

/** How long one read waits for a first entry; also the longest that a stop waits for the read in hand. */
const readWaitMs = 1_000;
/** How long facts may gather when few wait: a full batch costs less for each, and a short session then takes one write. */
const gatherMs = 250;
/** So many batches are written at a time: PostgreSQL works on each with a process of its own. */
const atOnce = 2;
const firstRetryMs = 100;
const longestRetryMs = 5_000;
const measureEveryMs = 1_000;

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const startedAt = Math.round(Date.now() - process.uptime() * 1000);

export interface RecorderOptions {
  pool: string;
  outbox: Outbox;
  sessionLog: SessionLog;
  /** Where it says how it is. */
  board: Pick<StatusBoard, 'postRecorder' | 'removeRecorder'>;
  /** Facts in one write, at most. */
  batchSize: number;
  /** More waiting facts than this are an alarm. */
  highWater: number;
  sweeper: Sweeper;
  metrics: Metrics;
  log: Logger;
}

type ReadableEntry = Extract<OutboxEntry, { fact: SessionFact }>;
interface RefusedEntry {
  entry: OutboxEntry;
  reason: string;
}

type Step = 'read' | 'write' | 'remove' | 'set aside';
type Condition = 'starting' | 'recording' | `cannot ${Step}`;

/**
 * Moves the facts of one pool from the outbox into the session log: read, write, remove, again and again. When many wait, two
 * batches are written at a time, and the next ones are read already.
 *
 * An entry is removed only after the log has committed it, so a fact is written at least once, whatever fails and when;
 * the log makes twice the same as once. A failure is retried for ever, with growing pauses; so it is when the log takes
 * nothing at all. A fact that the log refuses while it takes others would fail for ever: it is found by halving its batch,
 * and set aside as is an entry that cannot be read.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #stopping = new AbortController();
  /** What waits behind the batch in hand. */
  #ahead: Promise<OutboxEntry[]> | undefined;
  #running: Promise<void> | undefined;
  #step: Step = 'read';
  #condition: Condition = 'starting';
  /** When to end, on the clock of `performance.now()`. */
  #deadline = Number.POSITIVE_INFINITY;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #pastHighWater = false;

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
    await this.#options.board.removeRecorder().catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { pool, metrics, sweeper, batchSize } = this.#options;
    let retryMs = firstRetryMs;
    while (performance.now() < this.#deadline) {
      const draining = this.#stopping.signal.aborted;
      try {
        const found = await this.#round(draining || sweeper.isUnderWay ? 0 : readWaitMs);
        if (draining && found === 0) return;
        retryMs = firstRetryMs;
        this.#enter('recording');
        if (found > 0 && found < batchSize) await this.#pause(gatherMs);
      } catch (error) {
        this.#ahead = undefined;
        metrics.failures.inc({ pool });
        this.#enter(`cannot ${this.#step}`, error);
        if (draining) return;
        await this.#pause(retryMs * (0.5 + Math.random() / 2));
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      }
      const backlog = await this.#measure();
      if (backlog && this.isRecording && !draining) await this.#sweep(backlog);
    }
  }

  /** Records a batch. Answers how many entries there were. */
  async #round(waitMs: number): Promise<number> {
    this.#step = 'read';
    const entries = await this.#next(waitMs);
    const readable: ReadableEntry[] = [];
    const refused: RefusedEntry[] = [];
    for (const entry of entries) {
      if (entry.fact) readable.push(entry);
      else refused.push({ entry, reason: entry.problem });
    }
    if (readable.length > 0) refused.push(...(await this.#recordAll(readable)));
    else await this.#check();
    // At the end, so that the others are recorded even if this fails.
    for (const each of refused) await this.#setAside(each);
    return entries.length;
  }

  /** The next batch. Behind a full one it is on its way already; otherwise it begins with the oldest entry there is. */
  async #next(waitMs: number): Promise<OutboxEntry[]> {
    const { outbox, batchSize } = this.#options;
    const ahead = (await this.#ahead) ?? [];
    const entries = ahead.length > 0 ? ahead : await outbox.read(atOnce * batchSize, waitMs);
    this.#ahead = entries.length < batchSize ? undefined : outbox.read(atOnce * batchSize, 0, entries.at(-1)?.id);
    // It is waited for only when the batch in hand is done.
    this.#ahead?.catch(() => undefined);
    return entries;
  }

  /** Without anything to write, a log that cannot be written must show all the same. */
  async #check(): Promise<void> {
    this.#step = 'write';
    await this.#options.sessionLog.check();
  }

  /** Records some batches at a time. Answers with the entries that are refused; all others are recorded and removed. */
  async #recordAll(entries: ReadableEntry[]): Promise<RefusedEntry[]> {
    const { batchSize } = this.#options;
    const batches = Array.from({ length: Math.ceil(entries.length / batchSize) }, (_, index) =>
      this.#record(entries.slice(index * batchSize, (index + 1) * batchSize)),
    );
    // None goes on behind the back of the next round.
    await Promise.allSettled(batches);
    return (await Promise.all(batches)).flat();
  }

  /** Records a batch. Answers with the entries that are refused; all others are recorded and removed. */
  async #record(entries: ReadableEntry[]): Promise<RefusedEntry[]> {
    const { pool, outbox, sessionLog, metrics } = this.#options;
    this.#step = 'write';
    try {
      await sessionLog.write(entries.map(({ fact }) => fact));
    } catch (error) {
      if (!(error instanceof RefusedFactsError)) throw error;
      const [entry] = entries;
      if (entry && entries.length === 1) return [{ entry, reason: error.reason }];
      const half = Math.ceil(entries.length / 2);
      return [...(await this.#record(entries.slice(0, half))), ...(await this.#record(entries.slice(half)))];
    }
    metrics.batches.inc({ pool });
    const started = entries.filter(({ fact }) => fact.kind === 'started').length;
    if (started > 0) metrics.facts.inc({ pool, kind: 'started' }, started);
    if (started < entries.length) metrics.facts.inc({ pool, kind: 'ended' }, entries.length - started);
    this.#step = 'remove';
    await outbox.remove(entries.map(({ id }) => id));
    return [];
  }

  async #setAside({ entry, reason }: RefusedEntry): Promise<void> {
    const { pool, outbox, log } = this.#options;
    this.#step = 'set aside';
    await outbox.setAside(entry.id, reason);
    const { sessionId, kind } = entry.fact ?? {};
    log.error({ pool, entryId: entry.id, sessionId, kind, reason }, 'A fact cannot be recorded. It is set aside.');
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
        `Recording is interrupted (${condition}). Nothing is lost, and it is tried again.`,
      );
  }

  /** Looks at the outbox from time to time: undefined in between, and when that fails. */
  async #measure(): Promise<Backlog | undefined> {
    const { pool, outbox, metrics, sweeper } = this.#options;
    if (performance.now() - this.#measuredAt < measureEveryMs && !sweeper.isUnderWay) return undefined;
    this.#measuredAt = performance.now();
    try {
      const [backlog] = await Promise.all([outbox.backlog(), this.#say()]);
      metrics.backlog.set({ pool }, backlog.length);
      metrics.lagSeconds.set({ pool }, backlog.oldestAgeMs / 1_000);
      metrics.refused.set({ pool }, backlog.setAside);
      this.#compareWithHighWater(backlog.length);
      return backlog;
    } catch {
      // The next read fails for the same reason, and tells.
      return undefined;
    }
  }

  async #say(): Promise<void> {
    await this.#options.board.postRecorder({ version, startedAt, recording: this.isRecording });
  }

  /** Raises the alarm and takes it back, with a line in the log each time. Nothing else happens at the mark. */
  #compareWithHighWater(waitingFacts: number): void {
    const { pool, highWater, metrics, log } = this.#options;
    const past = waitingFacts > highWater;
    metrics.pastHighWater.set({ pool }, Number(past));
    if (past === this.#pastHighWater) return;
    this.#pastHighWater = past;
    const details = { pool, waitingFacts, highWater };
    if (past) log.error(details, 'The outbox is above its high-water mark. Nothing is dropped; Redis fills.');
    else log.info(details, 'The outbox is below its high-water mark again.');
  }

  /** Closes rows that have been left open. To fail at that is no reason to stop recording. */
  async #sweep({ oldestAgeMs }: Backlog): Promise<void> {
    const { pool, sweeper, metrics, log } = this.#options;
    if (!sweeper.mayStep(oldestAgeMs)) return;
    try {
      const { closed, refused } = await sweeper.step();
      metrics.swept.inc({ pool }, closed);
      if (closed > 0) log.warn({ pool, closed }, 'Sessions were left open without a chat. They are closed as lost.');
      for (const { sessionId, reason } of refused) {
        log.error({ pool, sessionId, reason }, 'A session was left open without a chat, and cannot be closed.');
      }
    } catch (error) {
      log.warn({ pool, err: error }, 'Rows that are left open cannot be looked for. It is tried again.');
    }
  }

  /** Waits, but not past a stop. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
