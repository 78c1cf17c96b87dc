import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '@passerby/cluster';
import { Redis } from 'ioredis';
import { seededRandom } from '../random.ts';
import { honestNsPerByte } from './honest-cost.ts';
import type { HostileOptions } from './options.ts';
import { Stage } from './stage.ts';
import { type Baseline, latencyOf, type Trial, tryAttack } from './trial.ts';

const restMs = 2000;
/** Sessions over polling that nobody polls, and handshakes that never joined, are gone by then. */
const memoryBackWithinMs = 45_000;
/** So much more may be kept afterwards than before: what is compiled, and memory of addresses that have been counted. */
const keptForGoodBytes = 24_000_000;

export interface Report {
  seed: number;
  honestNsPerByte: number;
  trials: Trial[];
}

/** Carries out all that the options say. All processes have ended when this returns. */
export async function run(options: HostileOptions, names: string[], told: (trial: Trial) => void): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), 'passerby-hostile-'));
  const server = await RedisServer.start({ dir: join(dir, 'redis') });
  const redis = new Redis(server.url);
  const hostility = new Hostility(options, { dir, redisUrl: server.url, redis });
  try {
    return await hostility.run(names, told);
  } finally {
    await hostility.stop();
    redis.disconnect();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

class Hostility {
  readonly #options: HostileOptions;
  readonly #place: { dir: string; redisUrl: string; redis: Redis };
  readonly #harmed = (sentence: string) => void this.#harm.push(sentence);
  #harm: string[] = [];
  #stages = 0;
  #stage: Stage | undefined;
  #baseline: Baseline | undefined;
  #honestNsPerByte = Number.NaN;

  constructor(options: HostileOptions, place: { dir: string; redisUrl: string; redis: Redis }) {
    this.#options = options;
    this.#place = place;
  }

  async run(names: string[], told: (trial: Trial) => void): Promise<Report> {
    const { seed, packets, minutes, together, people } = this.#options;
    const trials: Trial[] = [];
    const add = async (trial: Trial, isLast: boolean): Promise<void> => {
      if (isLast || this.#options.fresh) await this.#judgeMemory(trial);
      trials.push(trial);
      told(trial);
      if (trial.failures.some(({ kind }) => kind === 'harm') || this.#options.fresh) await this.stop();
    };
    const random = seededRandom(seed);
    const stage = await this.#ready();
    const ms = Math.min(5000, minutes * 5000);
    this.#honestNsPerByte = await honestNsPerByte({ stage, people, ms, random, harmed: this.#harmed });
    const halfMs = minutes * 30_000;
    if (!together) {
      const share = { packets: Math.ceil(packets / 2 / names.length), ms: Math.max(300, halfMs / names.length) };
      for (const [index, name] of random.shuffled(names).entries()) {
        // Each from another address, so that what one may not do any more is not the next one's loss.
        const orders = { names: [name], seed, address: `127.0.66.${1 + index}`, ...share };
        await add(await this.#try(name, orders), false);
      }
    }
    const share = { packets: Math.ceil(packets / Math.min(10, names.length)), ms: together ? 2 * halfMs : halfMs };
    await add(await this.#try('all at once', { names, seed, address: '127.0.0.66', ...share }), true);
    return { seed, honestNsPerByte: this.#honestNsPerByte, trials };
  }

  async stop(): Promise<void> {
    await this.#stage?.stop();
    this.#stage = undefined;
    this.#harm = [];
  }

  async #try(name: string, orders: Parameters<typeof tryAttack>[0]['orders']): Promise<Trial> {
    const stage = await this.#ready();
    const baseline = this.#baseline ?? (await this.#watch(stage));
    return tryAttack({
      ...{ name, stage, baseline, orders, honestNsPerByte: this.#honestNsPerByte },
      redisCommands: () => this.#redisCommands(),
      takeHarm: () => this.#harm.splice(0),
      harmed: this.#harmed,
    });
  }

  /** The stage of the last attack, or another one if somebody was harmed there. */
  async #ready(): Promise<Stage> {
    if (this.#stage) return this.#stage;
    const { dir, redisUrl } = this.#place;
    const number = ++this.#stages;
    const random = seededRandom(this.#options.seed + number);
    this.#stage = await Stage.start({
      number,
      dir: join(dir, `stage-${number}`),
      redisUrl,
      random,
      harmed: this.#harmed,
    });
    this.#baseline = undefined;
    return this.#stage;
  }

  /** What is usual. */
  async #watch(stage: Stage): Promise<Baseline> {
    await delay(restMs); // They have just started.
    stage.crowd.takeLatencies();
    const [startedAt, cpuMs, redis] = [performance.now(), stage.cpuMs(), await this.#redisCommands()];
    await delay(restMs);
    const [ms, redisAfter] = [performance.now() - startedAt, await this.#redisCommands()];
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
    const until = performance.now() + memoryBackWithinMs;
    for (;;) {
      trial.after = await this.#stage?.nodes[0]?.gauge.memory();
      const kept = trial.after && trial.after.keptBytes - before;
      // A process that has ended, or says nothing, is another failure, and found already.
      if (kept === undefined || kept < keptForGoodBytes) return;
      if (performance.now() < until) await delay(restMs);
      else {
        const text = `After ${memoryBackWithinMs / 1000} s the node still kept ${(kept / 1e6).toFixed(0)} MB more than before.`;
        trial.failures.push({ kind: 'memory', attack: trial.name, text });
        return;
      }
    }
  }

  async #redisCommands(): Promise<number> {
    const [, count] = /total_commands_processed:(\d+)/.exec(await this.#place.redis.info('stats')) ?? [];
    return Number(count);
  }
}
