import { type PairRegistry, RefusedFactsError, type SessionEnded, type SessionLog } from '@passerby/core';

/** Rows in one step. */
const pageSize = 500;
/** Sessions that are remembered as missing once. More are left to later sweeps, so that memory is bounded. */
const mostSuspects = 50_000;

export interface SweeperOptions {
  sessionLog: SessionLog;
  registry: PairRegistry;
  /** Time from the beginning of one sweep to the next. Other times follow from it: see {@link Sweeper}. */
  sweepEveryMs: number;
}

/** What a step did. */
export interface SweepStep {
  closed: number;
  /** Rows that stay open, because the session log refuses their end. A later sweep tries again. */
  refused: { sessionId: string; reason: string }[];
}

/**
 * Closes the rows of sessions whose end nobody recorded: their facts were lost with Redis's data, or by a bug.
 *
 * A sweep goes through the rows that have been open for longer than two intervals, and asks the registry about them. A
 * session that is missing there in two sweeps, an interval apart at least, is closed with the reason `lost`. Its `ended`
 * does not still wait in the outbox, because a step is only to be taken while no fact waits that is older than half an
 * interval ({@link Sweeper.mayStep}): whatever waited when it was first missed has been recorded since. If the end turns
 * up all the same, it replaces this one.
 *
 * Each step also looks at some of the registry's users, round and round, for those who would stay there for ever, and their
 * sessions with them ({@link PairRegistry.adoptStrays}).
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  #nextAt: number;
  /** The sessions that were missing in the sweep before this one, by when they were first missed. */
  #suspects = new Map<string, number>();
  /** The same for the sweep that is under way. */
  #missing = new Map<string, number>();
  /** The last id that was looked at; undefined while no sweep is under way. */
  #cursor: string | undefined;
  /** Where to go on looking for strays in the registry. */
  #strayCursor = '0';

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#nextAt = performance.now() + options.sweepEveryMs;
  }

  /** Whether the next step should come soon. */
  get isUnderWay(): boolean {
    return this.#cursor !== undefined;
  }

  /** Whether it is time for a step, given the age of the oldest fact in the outbox. */
  mayStep(oldestFactAgeMs: number): boolean {
    const due = this.isUnderWay || performance.now() >= this.#nextAt;
    return due && oldestFactAgeMs < this.#options.sweepEveryMs / 2;
  }

  /** Looks at the next few open rows. After a failure it begins anew at the time of the next sweep. */
  async step(): Promise<SweepStep> {
    const { sweepEveryMs } = this.#options;
    if (!this.isUnderWay) this.#nextAt = performance.now() + sweepEveryMs;
    try {
      return await this.#page(this.#cursor ?? '');
    } catch (error) {
      this.#cursor = undefined;
      this.#suspects.clear();
      this.#missing.clear();
      throw error;
    }
  }

  async #page(after: string): Promise<SweepStep> {
    const { sessionLog, registry, sweepEveryMs } = this.#options;
    const startedBefore = Date.now() - 2 * sweepEveryMs;
    const open = await sessionLog.openSessions({ startedBefore, after, limit: pageSize });
    const alive = await registry.areAlive(open);
    const now = performance.now();
    const lost = open.filter(({ sessionId }, index) => {
      if (alive[index]) return false;
      const missedAt = this.#suspects.get(sessionId) ?? now;
      if (now - missedAt >= sweepEveryMs) return true;
      if (this.#missing.size < mostSuspects) this.#missing.set(sessionId, missedAt);
      return false;
    });
    const endedAt = Date.now();
    const refused = await this.#close(
      lost.map(session => ({ ...session, kind: 'ended', endedAt, endReason: 'lost', messages: null })),
    );
    this.#strayCursor = await registry.adoptStrays(this.#strayCursor);
    this.#cursor = open.length < pageSize ? undefined : open.at(-1)?.sessionId;
    if (!this.isUnderWay) {
      this.#suspects = this.#missing;
      this.#missing = new Map();
    }
    return { closed: lost.length - refused.length, refused };
  }

  /** Closes all rows but those that the log refuses, which it finds by halving: one bad row must not keep others open. */
  async #close(ends: SessionEnded[]): Promise<SweepStep['refused']> {
    try {
      await this.#options.sessionLog.write(ends);
      return [];
    } catch (error) {
      if (!(error instanceof RefusedFactsError)) throw error;
      const [end] = ends;
      if (end && ends.length === 1) return [{ sessionId: end.sessionId, reason: error.reason }];
      const half = Math.ceil(ends.length / 2);
      return [...(await this.#close(ends.slice(0, half))), ...(await this.#close(ends.slice(half)))];
    }
  }
}
