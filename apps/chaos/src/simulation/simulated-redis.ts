import { MemoryChannels, MemoryOutbox, MemoryPairStore, type NodeMessage } from '@passerby/core';
import type { Random } from '../random.ts';
import type { Link } from './link.ts';
import type { Scheduler } from './scheduler.ts';
import type { Wire } from './wire.ts';

/** An answer of Redis that is an error. */
export class RedisRefusal extends Error {}

/** A Redis: the models of the stores, behind connections, and all that may happen to it. */
export class SimulatedRedis {
  readonly store: MemoryPairStore;
  readonly outbox: MemoryOutbox;
  readonly wires = new Set<Wire>();
  readonly #scheduler: Scheduler;
  /** Who listens to a node's channel. */
  readonly #subscribers = new Map<string, { link: Link; receive: (message: NodeMessage) => void }>();
  readonly #waiting: (() => unknown)[] = [];
  #isPaused = false;
  /** New connections come through. */
  isOpen = true;
  /** It answers all commands that write with this error. */
  refuses: string | undefined;
  /** How often something was sent to a node. */
  published = 0;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    const now = () => this.date;
    const channels = new Channels((nodeId, message) => this.publish(nodeId, message));
    this.outbox = new MemoryOutbox({
      now: () => scheduler.now,
      date: now,
      setTimeout: (task, ms) => scheduler.after(ms, 'outbox', task),
      clearTimeout: () => undefined,
      nextTurn: async () => undefined,
    });
    this.store = new MemoryPairStore({ channels, outbox: this.outbox, now, random: random.next });
  }

  /** In ms since the epoch. */
  get date(): number {
    return 1_700_000_000_000 + this.#scheduler.now;
  }

  /** Carries out a command that has arrived. */
  execute(command: () => unknown): void {
    if (this.#isPaused) this.#waiting.push(command);
    else command();
  }

  subscribe(nodeId: string, link: Link, receive: (message: NodeMessage) => void): void {
    this.#subscribers.set(nodeId, { link, receive });
  }

  unsubscribe(nodeId: string): void {
    this.#subscribers.delete(nodeId);
  }

  /** The connection is known to be gone. */
  forget(link: Link): void {
    for (const [nodeId, subscriber] of this.#subscribers)
      if (subscriber.link === link) this.#subscribers.delete(nodeId);
  }

  publish(nodeId: string, message: NodeMessage): boolean {
    const subscriber = this.#subscribers.get(nodeId);
    if (!subscriber) return false;
    const text = JSON.stringify(message);
    this.published++;
    subscriber.link.send(`${nodeId} hears ${message.kind}`, () => subscriber.receive(JSON.parse(text)));
    return true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const command of this.#waiting.splice(0)) command();
  }

  /** All connections are lost, and none comes until {@link start}. */
  stop(): void {
    this.isOpen = false;
    this.#waiting.length = 0;
    this.#subscribers.clear();
    for (const wire of this.wires) wire.reset();
  }

  start(): void {
    this.isOpen = true;
  }

  /** All data is lost. */
  async wipe(): Promise<void> {
    this.store.loseData();
    await this.outbox.remove((await this.outbox.read(Number.MAX_SAFE_INTEGER, 0)).map(({ id }) => id));
  }

  /** @returns what makes everything as it is now, later */
  async capture(): Promise<() => Promise<void>> {
    const restore = this.store.capture();
    const { last } = this.outbox;
    return async () => {
      restore();
      const newer = await this.outbox.read(Number.MAX_SAFE_INTEGER, 0, last);
      await this.outbox.remove(newer.map(({ id }) => id));
    };
  }
}

class Channels extends MemoryChannels {
  readonly #send: (nodeId: string, message: NodeMessage) => boolean;

  constructor(send: (nodeId: string, message: NodeMessage) => boolean) {
    super();
    this.#send = send;
  }

  override send(nodeId: string, message: NodeMessage): boolean {
    return this.#send(nodeId, message);
  }
}
