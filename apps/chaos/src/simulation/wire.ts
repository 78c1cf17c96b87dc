import type { Random } from '../random.ts';
import { Link } from './link.ts';
import type { Planned, Scheduler } from './scheduler.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { SimulatedRedis } from './simulated-redis.ts';

/** A command that gets no answer for this long is given up, and so is a connection on which nothing comes. */
const commandTimeoutMs = 1000;
const silenceMs = 3000;

/** The connection is not there, or is gone, or does not answer. */
export class WireError extends Error {}

interface Pair {
  there: Link;
  back: Link;
}

/** A connection of a node to Redis, made again whenever it is lost. */
export class Wire {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #redis: SimulatedRedis;
  readonly #node: SimulatedNode;
  readonly #role: string;
  readonly #pending = new Set<(error: WireError) => void>();
  #pair: Pair | undefined;
  /** Pairs that this side has given up, and on which something is still on its way to Redis. */
  #abandoned: Pair[] = [];
  #held = { there: false, back: false };
  #refused = false;
  #slowMs = 0;
  #silence: Planned | undefined;
  #attempts = 0;
  /** Is called each time that it can be used. */
  ready: () => void = () => undefined;

  constructor(options: {
    scheduler: Scheduler;
    random: Random;
    redis: SimulatedRedis;
    node: SimulatedNode;
    role: string;
  }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#redis = options.redis;
    this.#node = options.node;
    this.#role = options.role;
    options.redis.wires.add(this);
    this.#connectAfter(1);
  }

  get isReady(): boolean {
    return this.#pair !== undefined;
  }

  /** What Redis sends by itself on this connection goes here. */
  get back(): Link | undefined {
    return this.#pair?.back;
  }

  /** Lets Redis do something. Rejects with a {@link WireError} when no answer comes: it may have been done, or may still be. */
  call<Reply>(what: string, run: () => Promise<Reply> | Reply): Promise<Reply> {
    const pair = this.#pair;
    if (!pair) return Promise.reject(new WireError('There is no connection.'));
    return new Promise((resolve, reject) => {
      const fail = (error: WireError) => {
        this.#pending.delete(fail);
        this.#scheduler.cancel(timer);
        reject(error);
      };
      const giveUp = () => fail(new WireError('No answer came.'));
      const timer = this.#scheduler.after(commandTimeoutMs, 'give up', giveUp, this.#node);
      this.#pending.add(fail);
      const answer = (settle: () => void) =>
        pair.back.send(`${this.#node.name} < ${what}`, () => {
          if (!this.#pending.delete(fail)) return;
          this.#scheduler.cancel(timer);
          settle();
        });
      pair.there.send(`${this.#node.name} > ${what}`, () =>
        this.#redis.execute(async () => {
          try {
            const reply = await run();
            answer(() => resolve(reply));
          } catch (error) {
            answer(() => reject(error));
          }
        }),
      );
    });
  }

  /** Nothing passes in these directions. @param present only on the connection that is there now; new ones work */
  hold(directions: readonly ('there' | 'back')[], { present = false } = {}): void {
    for (const direction of directions) {
      this.#pair?.[direction].hold();
      if (!present) this.#held[direction] = true;
    }
    this.#noticeSilence();
  }

  refuse(): void {
    this.#refused = true;
    this.reset();
  }

  slow(ms: number): void {
    this.#slowMs = ms;
    if (this.#pair) this.#pair.there.slowMs = ms;
    if (this.#pair) this.#pair.back.slowMs = ms;
  }

  /** All is well again. What was held back arrives. */
  heal(): void {
    this.#held = { there: false, back: false };
    this.#refused = false;
    this.slow(0);
    this.#scheduler.cancel(this.#silence);
    for (const pair of [this.#pair, ...this.#abandoned.splice(0)]) {
      pair?.there.release();
      pair?.back.release();
    }
  }

  /** The connection is lost, with all that is on its way. */
  reset(): void {
    this.#pair?.there.cut();
    if (this.#pair) this.#redis.forget(this.#pair.back);
    this.#close();
  }

  /** The node's side is lost. What is held back on its way to Redis still arrives when it is released. */
  abandon(): void {
    if (this.#pair) this.#abandoned.push(this.#pair);
    this.#close();
  }

  end(): void {
    this.#redis.wires.delete(this);
    if (this.#pair) this.#redis.forget(this.#pair.back);
    this.#pair?.back.cut();
    this.#pair = undefined;
  }

  #close(): void {
    const pair = this.#pair;
    if (!pair) return;
    pair.back.cut();
    this.#pair = undefined;
    this.#scheduler.cancel(this.#silence);
    this.#scheduler.after(0, `${this.#node.name} ${this.#role} lost`, () => this.#lost(), this.#node);
  }

  #lost(): void {
    for (const fail of [...this.#pending]) fail(new WireError('The connection was lost.'));
    this.#connectAfter(Math.min(100 * 2 ** this.#attempts++, 1000) * (0.75 + this.#random.next() / 2));
  }

  #connectAfter(ms: number): void {
    this.#scheduler.after(ms, `${this.#node.name} ${this.#role} connects`, () => this.#connect(), this.#node);
  }

  #connect(): void {
    if (this.#pair) return;
    const { there, back } = this.#held;
    if (this.#refused || there || back || !this.#redis.isOpen) {
      this.#connectAfter(Math.min(100 * 2 ** this.#attempts++, 1000) * (0.75 + this.#random.next() / 2));
      return;
    }
    this.#attempts = 0;
    const toRedis = new Link(this.#scheduler, this.#random);
    const toNode = new Link(this.#scheduler, this.#random, this.#node);
    this.#pair = { there: toRedis, back: toNode };
    this.slow(this.#slowMs);
    this.ready();
  }

  /** Pings get no answers any more. */
  #noticeSilence(): void {
    this.#scheduler.cancel(this.#silence);
    const pair = this.#pair;
    const ms = silenceMs + 1000 * this.#random.next();
    const notice = () => {
      if (this.#pair === pair) this.abandon();
    };
    this.#silence = this.#scheduler.after(ms, `${this.#node.name} ${this.#role} silent`, notice, this.#node);
  }
}
