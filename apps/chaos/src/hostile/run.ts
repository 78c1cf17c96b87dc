import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '@passerby/cluster';
import { Redis } from 'ioredis';
import { seededRandom } from '../random.ts';
import { honestNsPerByte } from './honest-cost.ts';
import type { HostileOptions } from './options.ts';
import { schedule, type Turn } from './schedule.ts';
import { Stage } from './stage.ts';
import { type Baseline, comeAgainAndAgain, latencyOf, type Trial, tryAttack } from './trial.ts';

const restMs = 2000;
const longestWatchMs = 60_000;
/** In a run of a minute or more. */
const honestPeople = 200;
const honestMs = 5000;
/** Sessions over polling that nobody polls, and handshakes that never joined, are gone by then. */
const memoryBackWithinMs = 45_000;
/** So much more may be kept afterwards than before: what is compiled, and memory of addresses that have been counted. */
const keptForGoodBytes = 24_000_000;

export interface Report {
  seed: number;
  honestNsPerByte: number;
  trials: Trial[];
}

/** A run: one attack after the other, and all at once. */
export class Run {
  readonly #options: HostileOptions;
  readonly #harm: string[] = [];
  readonly #told: (trial: Trial) => void;
  #dir = '';
  #server: RedisServer | undefined;
  #redis = new Redis({ lazyConnect: true });
  #stages = 0;
  #stage: Stage | undefined;
  #baseline: Baseline | undefined;

  /** @param told is called with each attack that has been tried */
  constructor(options: HostileOptions, told: (trial: Trial) => void) {
    this.#options = options;
    this.#told = told;
  }

  /** Carries out all that the options say, with these attacks. `stop` afterwards, however it ends. */
  async start(names: string[]): Promise<Report> {
    const { seed, minutes, fresh } = this.#options;
    this.#dir = await mkdtemp(join(tmpdir(), 'passerby-hostile-'));
    this.#server = await RedisServer.start({ dir: join(this.#dir, 'redis') });
    this.#redis = new Redis(this.#server.url);
    const stage = await this.#staged();
    const scale = Math.min(1, minutes);
    const people = 2 * Math.ceil((honestPeople * scale) / 2);
    const honest = { stage, people, ms: honestMs * scale, random: seededRandom(seed), harm: this.#harm };
    const known = { honestNsPerByte: await honestNsPerByte(honest), harm: this.#harm };
    if (this.#harm.length > 0) throw new Error(`Without any attack: ${this.#harm.join(' ')}`);
    const trials: Trial[] = [];
    const tryOut = async ({ name, orders }: Turn): Promise<void> => {
      const stage = await this.#staged();
      const [baseline, redisCommands] = [await this.#usual(stage), () => this.#commands()];
      const trial = await tryAttack({ name, orders, stage, baseline, redisCommands, ...known });
      if (fresh || orders.names.length > 1) await this.#judgeMemory(trial);
      trials.push(trial);
      this.#told(trial);
      if (fresh || trial.failures.some(({ kind }) => kind === 'harm')) await this.#clear();
    };
    for (const turn of schedule(this.#options, names)) await tryOut(turn);
    return { seed, honestNsPerByte: known.honestNsPerByte, trials };
  }

  /** Ends all that it has started. */
  async stop(): Promise<void> {
    await this.#clear();
    this.#redis.disconnect();
    await this.#server?.stop();
    if (this.#dir) await rm(this.#dir, { recursive: true, force: true });
  }

  async #clear(): Promise<void> {
    await this.#stage?.stop();
    this.#stage = undefined;
    this.#baseline = undefined;
    this.#harm.length = 0;
  }

  /** The stage of the last attack, or another one if somebody was harmed there. */
  async #staged(): Promise<Stage> {
    if (this.#stage) return this.#stage;
    const redisPrefix = `hostile${++this.#stages}`;
    const random = seededRandom(this.#options.seed + this.#stages);
    const [dir, redisUrl] = [this.#dir, this.#server?.url ?? ''];
    this.#stage = new Stage({ dir, redisUrl, redisPrefix, random, harm: this.#harm });
    await this.#stage.start();
    await delay(restMs); // They have just started.
    return this.#stage;
  }

  /** What is usual on the stage. */
  async #usual(stage: Stage): Promise<Baseline> {
    if (this.#baseline) return this.#baseline;
    stage.crowd.takeLatencies();
    const [startedAt, cpuMs, redis] = [performance.now(), stage.cpuMs(), await this.#commands()];
    const watched = delay(
      this.#options.fresh ? restMs : Math.min(longestWatchMs, restMs + this.#options.minutes * 30_000),
    );
    // With newcomers, as during an attack: they take their time, too.
    await comeAgainAndAgain(stage, this.#harm, watched);
    const [ms, redisAfter] = [performance.now() - startedAt, await this.#commands()];
    this.#baseline = {
      cpuMsPerMs: (stage.cpuMs() - cpuMs) / ms,
      redisPerMs: (redisAfter - redis) / ms,
      latency: latencyOf(stage.crowd.takeLatencies()),
      memory: await stage.nodes[0]?.gauge.memory(),
    };
    return this.#baseline;
  }

  /** Waits until the attacked node keeps hardly more than before, and says so if that does not happen. */
  async #judgeMemory(trial: Trial): Promise<void> {
    const before = this.#baseline?.memory?.keptBytes ?? 0;
    for (let ms = 0; ; ms += restMs) {
      trial.after = await this.#stage?.nodes[0]?.gauge.memory();
      const kept = trial.after && trial.after.keptBytes - before;
      // A process that has ended, or says nothing, is another failure, and found already.
      if (kept === undefined || kept < keptForGoodBytes) return;
      if (ms >= memoryBackWithinMs) {
        const text = `After ${ms / 1000} s the node still kept ${(kept / 1e6).toFixed(0)} MB more than before.`;
        trial.failures.push({ kind: 'memory', attack: trial.name, text });
        return;
      }
      await delay(restMs);
    }
  }

  async #commands(): Promise<number> {
    const [, count] = /total_commands_processed:(\d+)/.exec(await this.#redis.info('stats')) ?? [];
    return Number(count);
  }
}
