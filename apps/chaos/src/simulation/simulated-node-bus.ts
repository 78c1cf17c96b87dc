import { ChatError, type NodeBus, type NodeListener, type RoutedMessage } from '@passerby/core';
import type { SimulatedRedis } from './simulated-redis.ts';
import type { Wire } from './wire.ts';

/** {@link NodeBus} over simulated connections. */
export class SimulatedNodeBus implements NodeBus {
  readonly #redis: SimulatedRedis;
  readonly #commands: Wire;
  readonly #subscriber: Wire;
  #nodeId: string | undefined;
  #listener: NodeListener | undefined;

  constructor(redis: SimulatedRedis, commands: Wire, subscriber: Wire) {
    this.#redis = redis;
    this.#commands = commands;
    this.#subscriber = subscriber;
    subscriber.ready = () => void this.#restore();
  }

  async listen(nodeId: string, listener: NodeListener): Promise<void> {
    if (this.#nodeId !== undefined) this.#redis.unsubscribe(this.#nodeId);
    this.#nodeId = nodeId;
    this.#listener = listener;
    try {
      await this.#subscribe();
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  async send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    const text = JSON.stringify(message);
    try {
      return await this.#commands.call(message.kind, () => this.#redis.publish(nodeId, JSON.parse(text)));
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
    }
  }

  #subscribe(): Promise<void> {
    const link = this.#subscriber.back;
    const nodeId = this.#nodeId;
    return this.#subscriber.call('subscribe', () => {
      if (!link || nodeId === undefined) return;
      this.#redis.subscribe(nodeId, link, message => {
        if (nodeId === this.#nodeId) this.#listener?.receive(message);
      });
    });
  }

  async #restore(): Promise<void> {
    if (this.#nodeId === undefined) return;
    try {
      await this.#subscribe();
      this.#listener?.missed();
    } catch {
      // A new connection is the way to try again.
      this.#subscriber.abandon();
    }
  }
}
