import { type Chance, ChatService, type Clock, Lease, type Log, type Meter } from '@passerby/core';
import type { Random } from '../random.ts';
import type { Host, Planned, Scheduler } from './scheduler.ts';
import { SimulatedFront } from './simulated-front.ts';
import type { SimulatedLine } from './simulated-line.ts';
import { SimulatedNodeBus } from './simulated-node-bus.ts';
import { SimulatedPairStore } from './simulated-pair-store.ts';
import type { SimulatedRedis } from './simulated-redis.ts';
import { Wire } from './wire.ts';

const drainMs = 2000;
const waveMs = 100;

export interface NodeOptions {
  name: string;
  scheduler: Scheduler;
  random: Random;
  redis: SimulatedRedis;
  chance: Chance;
  meter: Meter;
  log: Log;
  leaseMs: number;
  graceMs: number;
  complain: (text: string) => void;
}

/** One chat-node process, from its start to its end: the real rules, with simulated time, chance, stores and connections. */
export class SimulatedNode implements Host {
  readonly name: string;
  readonly front: SimulatedFront;
  readonly service: ChatService;
  readonly lease: Lease;
  readonly wires: Wire[];
  readonly lines = new Set<SimulatedLine>();
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #subscriber: Wire;
  readonly #commands: Wire;
  #stopping = false;
  asleep = false;
  dead = false;

  constructor(options: NodeOptions) {
    const { name, scheduler, random, redis, leaseMs, graceMs, log, chance, meter } = options;
    this.name = name;
    this.#scheduler = scheduler;
    this.#random = random;
    const wire = (role: string) => new Wire({ scheduler, random, redis, node: this, role });
    const [commands, renewals, subscriber] = [wire('commands'), wire('renewals'), wire('subscriber')];
    this.wires = [commands, renewals, subscriber];
    this.#subscriber = subscriber;
    this.#commands = commands;
    const clock: Clock = {
      now: () => scheduler.now,
      date: () => redis.date,
      setTimeout: (task, ms) => scheduler.after(ms, `${name} timer`, task, this),
      clearTimeout: timer => scheduler.cancel(timer as Planned | undefined),
      nextTurn: () => new Promise(resolve => scheduler.after(0, `${name} turn`, resolve, this)),
    };
    const store = new SimulatedPairStore({ scheduler, redis, host: this, commands, renewals });
    const bus = new SimulatedNodeBus(redis, commands, subscriber);
    this.lease = new Lease({ store, leaseMs, graceMs, log, clock, chance });
    commands.ready = () => this.lease.doubt();
    this.front = new SimulatedFront(options.complain);
    this.service = new ChatService({ store, bus, clients: this.front, lease: this.lease, meter, log, clock, chance });
    this.front.service = this.service;
    // Its connections are there first.
    scheduler.after(20, `${name} starts`, () => void this.service.start(), this);
  }

  get takesConnections(): boolean {
    return !this.#stopping && !this.dead;
  }

  /** What a balancer knows: a process that stands still looks as it did. */
  get isReady(): boolean {
    return this.takesConnections && this.#commands.isReady && this.#subscriber.isReady && this.service.ready;
  }

  kill(): void {
    this.dead = true;
    for (const wire of this.wires) wire.end();
    for (const line of [...this.lines]) line.lose();
  }

  sleep(): void {
    this.asleep = true;
  }

  wake(): void {
    this.#scheduler.wake(this);
  }

  /** Ends in good order: moves its users away, and gives up its lease. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const startedAt = this.#scheduler.now;
    const elapsedMs = () => this.#scheduler.now - startedAt;
    while (this.service.present.length > 0 && elapsedMs() < drainMs && !this.dead) {
      const movable = this.service.present.filter(user => user.resumes || user.state === 'idle');
      const wavesLeft = Math.max(1, Math.floor((drainMs / 2 - elapsedMs()) / waveMs));
      const count = Math.ceil(movable.length / wavesLeft);
      for (const { userId } of this.#random.shuffled(movable).slice(0, count)) this.front.close(userId);
      await this.#scheduler.delay(waveMs * (0.5 + this.#random.next()));
    }
    await Promise.race([this.service.stop().catch(() => undefined), this.#scheduler.delay(5000)]);
    for (const line of [...this.lines]) line.closeFromServer();
    await this.#scheduler.delay(50);
    this.kill();
  }
}
