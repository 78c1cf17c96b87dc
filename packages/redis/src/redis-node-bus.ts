import { ChatError, type Log, type NodeBus, type NodeMessage, type RoutedMessage } from '@passerby/core';
import type { Redis } from 'ioredis';
import { nodeChannelPrefix } from './keys.ts';
import { decodeChange } from './user-change-codec.ts';

/** {@link NodeBus} over Redis pub/sub, one channel for each node. */
export class RedisNodeBus implements NodeBus {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #channels: string;
  readonly #log: Log;
  #channel: string | undefined;
  #receive: (message: NodeMessage) => void = () => undefined;

  /** @param subscriber a connection of its own: it can do nothing else */
  constructor(redis: Redis, subscriber: Redis, options: { prefix: string; log: Log }) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#channels = nodeChannelPrefix(options.prefix);
    this.#log = options.log;
    subscriber.on('message', (channel: string, json: string) => {
      if (channel === this.#channel) this.#receiveJson(json);
    });
  }

  async listen(nodeId: string, receive: (message: NodeMessage) => void): Promise<void> {
    try {
      if (this.#channel) await this.#subscriber.unsubscribe(this.#channel);
      this.#channel = this.#channels + nodeId;
      this.#receive = receive;
      await this.#subscriber.subscribe(this.#channel);
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  async send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    try {
      return (await this.#redis.publish(this.#channels + nodeId, JSON.stringify(message))) > 0;
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
    }
  }

  #receiveJson(json: string): void {
    try {
      const message = JSON.parse(json);
      this.#receive(message.kind === 'change' ? { ...message, change: decodeChange(message.change) } : message);
    } catch (error) {
      this.#log.warn({ err: error }, 'A message from another node could not be used. It was dropped.');
    }
  }
}
