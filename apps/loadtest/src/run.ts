import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { adviceFor } from './advice.ts';
import { now } from './clock.ts';
import { findLimit } from './find-limit.ts';
import type { LoadReport, Sample } from './load-report.ts';
import type { LoaderEnd, LoaderNews } from './loader-commands.ts';
import { Loaders } from './loaders.ts';
import type { Options } from './options.ts';
import { reachTarget } from './reach-target.ts';
import { RunRecord, type Window } from './run-record.ts';
import { type ScenarioKind, scenarios } from './scenario.ts';
import { ServerUsage } from './server-usage.ts';

const sampleEveryMs = 1000;
/** Workers need a moment before they can begin all together. */
const beginAfterMs = 50;
/** Not all users may get ready. After this time, beyond what connecting was to take, the load begins without them. */
const readyWithinMs = 30_000;
/** What is on its way may still arrive, until this time is over. */
const quietWithinMs = 30_000;
/** When all is answered and nothing came for this time, nothing will. */
const quietAfterMs = 3000;
const quietWhenInterruptedMs = 1000;
const mostComplaints = 20;

export interface RunOptions {
  options: Options;
  /** Ends the run before its time; there is a report all the same. */
  signal: AbortSignal;
  onSample: (sample: Sample) => void;
  /** Gets sentences for people. */
  say: (sentence: string) => void;
}

/**
 * Puts load on the targets.
 * @throws TargetError when one of them cannot be reached
 * @throws LoaderDied when a worker ended in the middle of it
 */
export async function run(runOptions: RunOptions): Promise<LoadReport> {
  for (const target of runOptions.options.targets) await reachTarget(target);
  const loaders = new Loaders(runOptions.options.workers);
  try {
    const servers = await ServerUsage.of(runOptions.options.targets);
    return await new Run(loaders, servers, runOptions).make();
  } finally {
    await loaders.stop();
  }
}

class Run {
  readonly #loaders: Loaders;
  readonly #servers: ServerUsage;
  readonly #options: Options;
  readonly #kind: ScenarioKind;
  readonly #signal: AbortSignal;
  readonly #onSample: (sample: Sample) => void;
  readonly #say: (sentence: string) => void;
  readonly #startedAt = performance.now();
  readonly #record = new RunRecord(this.#startedAt);
  readonly #advised = new Set<string>();
  #sampleDueAt = this.#startedAt + sampleEveryMs;
  #complaints = 0;
  #sampled: (() => void)[] = [];

  constructor(loaders: Loaders, servers: ServerUsage, { options, signal, onSample, say }: RunOptions) {
    this.#loaders = loaders;
    this.#servers = servers;
    this.#options = options;
    this.#kind = scenarios[options.scenario];
    this.#signal = signal;
    this.#onSample = onSample;
    this.#say = say;
    signal.addEventListener('abort', () => this.#tellSampled());
  }

  async make(): Promise<LoadReport> {
    const startedAt = new Date().toISOString();
    const { scenario, targets } = this.#options;
    const over = new AbortController();
    const sampling = this.#sample(over.signal);
    const limit = await Promise.race([this.#load(), sampling.then(() => undefined)]);
    const interrupted = this.#signal.aborted;
    await this.#loaders.ask('stop', () => []);
    const complete = await this.#untilQuiet(interrupted ? quietWhenInterruptedMs : quietWithinMs);
    over.abort();
    await sampling;
    const ends = await this.#loaders.ask('settle', () => [complete]);
    this.#take(ends);
    const all = complete && !interrupted;
    const bothSides = all && !this.#options.shared ? now() - quietAfterMs : Number.NEGATIVE_INFINITY;
    await this.#loaders.ask('close', () => []);
    return {
      ...{ version: 1, scenario, targets, options: this.#given(), startedAt, interrupted },
      durationMs: performance.now() - this.#startedAt,
      ...this.#record.result(bothSides),
      ...(all && { stranded: this.#stranded(ends) }),
      ...(limit && { limit }),
    };
  }

  async #load(): Promise<LoadReport['limit']> {
    const { scenario, targets, users, workers, messageCharacters, talkMs, rampMs } = this.#options;
    const { durationMs, perSecond } = this.#options;
    const run = randomBytes(4).toString('hex');
    const at = now() + beginAfterMs;
    const setup = { scenario, run, targets, users, workers, messageCharacters, talkMs, at, rampMs };
    await this.#loaders.ask('start', index => [{ ...setup, index }]);
    await this.#untilReady();
    if (this.#signal.aborted) return undefined;
    // Samples of their own, so that what happens under load is not mixed with what was before and comes after.
    await this.#news();
    const from = now() + beginAfterMs;
    const share = perSecond / workers;
    // So that the workers take turns.
    const offsetMs = perSecond > 0 ? 1000 / perSecond : 0;
    const beginsAt = performance.now() + from - now();
    if (this.#options.findLimit === undefined) this.#record.beginLoad(beginsAt);
    await this.#loaders.ask('load', index => [{ at: from + index * offsetMs, durationMs, perSecond: share }]);
    if (this.#options.findLimit !== undefined) return this.#findLimit(this.#options.findLimit);
    this.#sampleDueAt = beginsAt + sampleEveryMs;
    await this.#wait(from + durationMs - now());
    await this.#loaders.ask('stop', () => []);
    const endedAt = performance.now();
    await this.#news();
    this.#record.endLoad(endedAt);
    return undefined;
  }

  #findLimit(boundMs: number): Promise<LoadReport['limit']> {
    const unit = this.#kind.rate?.unit ?? '';
    return findLimit({
      ...{ firstRate: this.#options.perSecond, unit, boundMs },
      measure: rate => this.#measure(rate),
      onStep: ({ rate, p99, saturated }) => {
        const end =
          saturated === 'no' ? '' : `: the ${saturated === 'loader' ? 'load tester' : 'server'} can do no more`;
        this.#say(`${Math.round(rate)} ${unit}: p99 ${p99.toFixed(1)} ms${end}.`);
      },
    });
  }

  /** Puts this rate on the target, and looks at it once that has settled. */
  async #measure(rate: number): Promise<Window | undefined> {
    const seconds = Math.max(1, Math.round(this.#options.durationMs / sampleEveryMs));
    await this.#loaders.ask('rate', () => [rate / this.#options.workers]);
    for (let second = 0; second < 1 + Math.ceil(seconds / 10); second++) await this.#nextSample();
    this.#record.openWindow(this.#kind.judged);
    for (let second = 0; second < seconds; second++) await this.#nextSample();
    const window = this.#record.closeWindow();
    await this.#loaders.ask('rate', () => [0]);
    await this.#untilQuiet(quietWithinMs);
    return this.#signal.aborted ? undefined : window;
  }

  async #untilReady(): Promise<void> {
    const { users, rampMs } = this.#options;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#signal]);
    const late = delay(rampMs + readyWithinMs, 'late', { signal }).catch(() => 'interrupted');
    const outcome = await Promise.race([this.#loaders.ask('ready', () => []).then(() => 'ready'), late]);
    over.abort();
    if (outcome === 'late') {
      this.#say(`Not all of the ${users} users are ${this.#kind.ready} yet. The load begins without the others.`);
    }
  }

  /**
   * Waits until nothing is on its way any more.
   * @returns false when messages were still arriving at the end of that time
   */
  async #untilQuiet(withinMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + withinMs;
    let [seen, changedAt] = ['', performance.now()];
    while (performance.now() < giveUpAt) {
      const all = await this.#loaders.ask('underway', () => []);
      const sum = (of: 'accepted' | 'received' | 'waiting'): number => all.reduce((total, each) => total + each[of], 0);
      const pending = all.some(each => each.pending);
      // Of two who wait, both are being matched.
      if (!pending && sum('accepted') === sum('received') && sum('waiting') <= 1) return true;
      const sees = `${sum('received')} ${sum('waiting')}`;
      if (sees !== seen) [seen, changedAt] = [sees, performance.now()];
      else if (!pending && performance.now() - changedAt > quietAfterMs) return true;
      await delay(50);
    }
    // Whatever still moves may arrive; where nothing does, nothing will.
    return performance.now() - changedAt > quietAfterMs;
  }

  /** Asks the workers every second, until told that it is enough. */
  async #sample(over: AbortSignal): Promise<void> {
    for (;;) {
      // It may be put off meanwhile.
      for (let wait = 1; wait > 0; wait = this.#sampleDueAt - performance.now()) {
        await delay(this.#sampleDueAt - performance.now(), undefined, { signal: over }).catch(() => undefined);
        if (over.aborted) return;
      }
      this.#sampleDueAt += sampleEveryMs;
      await this.#news();
      this.#tellSampled();
    }
  }

  async #news(): Promise<void> {
    this.#take(await this.#loaders.ask('news', () => []));
  }

  #take(news: LoaderNews[]): void {
    const sample = this.#record.add(news, this.#servers.sample());
    this.#onSample(sample);
    for (const sentence of news.flatMap(({ complaints }) => complaints)) {
      this.#complaints += 1;
      if (this.#complaints <= mostComplaints) this.#say(sentence);
    }
    for (const code of this.#record.errorCodes) {
      const advice = adviceFor(code);
      if (advice && !this.#advised.has(code)) this.#say(advice);
      this.#advised.add(code);
    }
  }

  #nextSample(): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise(resolve => this.#sampled.push(resolve));
  }

  #tellSampled(): void {
    for (const tell of this.#sampled.splice(0)) tell();
  }

  async #wait(ms: number): Promise<void> {
    await Promise.race([delay(ms, undefined, { signal: this.#signal }).catch(() => undefined), this.#loaders.died]);
  }

  #stranded(ends: readonly LoaderEnd[]): NonNullable<LoadReport['stranded']> {
    const sum = (of: 'away' | 'waiting'): number => ends.reduce((total, each) => total + each[of], 0);
    // Only those who resume have somewhere to be back to.
    return { users: this.#options.users, away: this.#kind.resumes ? sum('away') : 0, waiting: sum('waiting') };
  }

  #given(): LoadReport['options'] {
    const { users, workers, durationMs, perSecond, rampMs, messageCharacters, talkMs, findLimit } = this.#options;
    return {
      ...{ users, workers, durationMs, rampMs, messageCharacters },
      ...(this.#kind.rate && { perSecond }),
      ...(this.#options.scenario === 'chat' && { talkMs }),
      ...(findLimit !== undefined && { findLimitMs: findLimit }),
    };
  }
}
