import type { Chance, Log, Meter } from '@passerby/core';
import type { Recording } from '../history.ts';
import { type Random, seededRandom } from '../random.ts';
import type { Scheduler } from './scheduler.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedNode } from './simulated-node.ts';
import { SimulatedRecorder } from './simulated-recorder.ts';
import { SimulatedRedis } from './simulated-redis.ts';

const readyWithinMs = 15_000;

export interface SimulatedWorldOptions {
  scheduler: Scheduler;
  seed: number;
  nodes: number;
  leaseMs: number;
  graceMs: number;
  recording: Recording;
}

/** Redis, the recorder and the nodes. */
export class SimulatedWorld {
  readonly scheduler: Scheduler;
  readonly redis: SimulatedRedis;
  readonly recorder: SimulatedRecorder;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly #options: SimulatedWorldOptions;
  readonly #busy = new Set<SimulatedNode>();
  #nodes: SimulatedNode[] = [];
  #started = 0;
  isRedisBusy = false;
  messages = 0;

  constructor(options: SimulatedWorldOptions) {
    const { scheduler, seed } = options;
    this.#options = options;
    this.scheduler = scheduler;
    this.random = seededRandom(seed ^ 0x5eed);
    this.redis = new SimulatedRedis(scheduler, seededRandom(seed ^ 0xda7a));
    this.recorder = new SimulatedRecorder(scheduler, this.redis);
    this.network = new SimulatedNetwork(scheduler, seededRandom(seed ^ 0x0e7), () => this.#nodes);
    this.#nodes = Array.from({ length: options.nodes }, (_, index) => this.#start(`node-${index + 1}`));
  }

  /** The processes that run now. */
  get nodes(): readonly SimulatedNode[] {
    return this.#nodes;
  }

  /** A node that nothing is being done to; undefined without one. */
  freeNode(random: Random): SimulatedNode | undefined {
    const free = this.#nodes.filter(node => !this.#busy.has(node) && !node.dead);
    return free.length === 0 ? undefined : random.pick(free);
  }

  async busyWith(nodes: readonly SimulatedNode[], act: () => Promise<void>): Promise<void> {
    for (const node of nodes) this.#busy.add(node);
    await act();
    for (const node of nodes) this.#busy.delete(node);
  }

  async busyWithRedis(act: () => Promise<void>): Promise<void> {
    this.isRedisBusy = true;
    await act();
    this.isRedisBusy = false;
  }

  /** Starts another process where one has ended. Resolves when it takes users. */
  async startInPlaceOf(node: SimulatedNode): Promise<void> {
    const [name = ''] = node.name.split('#');
    const next = this.#start(name);
    this.#nodes = this.#nodes.map(each => (each === node ? next : each));
    this.#busy.add(next);
    await this.untilReady(next);
    this.#busy.delete(next);
  }

  async untilReady(node: SimulatedNode): Promise<void> {
    const giveUpAt = this.scheduler.now + readyWithinMs;
    while (!node.isReady && this.scheduler.now < giveUpAt) await this.scheduler.delay(20);
  }

  #start(name: string): SimulatedNode {
    const { seed, scheduler, recording, leaseMs, graceMs } = this.#options;
    const random = seededRandom(Math.imul(seed + ++this.#started, 0x9e3779b1));
    return new SimulatedNode({
      ...{ name: `${name}#${this.#started}`, scheduler, random, redis: this.redis, leaseMs, graceMs },
      chance: chanceOf(seededRandom(Math.imul(seed + this.#started, 0x85ebca77))),
      meter: this.#meter,
      log: quiet,
      complain: text => void recording.add({ kind: 'complaint', text }),
    });
  }

  readonly #meter: Meter = {
    matched: () => undefined,
    relayed: () => void this.messages++,
    dropped: () => undefined,
  };
}

const quiet: Log = { info: () => undefined, warn: () => undefined };
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function chanceOf(random: Random): Chance {
  const text = (length: number) =>
    Array.from({ length }, () => digits[Math.floor(random.next() * digits.length)]).join('');
  return { messageId: () => text(12), sessionId: () => text(22), secret: bytes => text(Math.ceil((bytes * 4) / 3)) };
}
