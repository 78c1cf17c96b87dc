import {
  ChatError,
  type Log,
  type NodeBus,
  type NodeListener,
  type NodeMessage,
  type RoutedMessage,
} from '@passerby/core';
import type { Redis } from 'ioredis';
import { nodeChannelPrefix } from './keys.ts';
import { decodeChange } from './user-change-codec.ts';

/**
 * Versions of what nodes and scripts send to nodes, by kind. A node drops what has another one, so that nodes of two versions
 * can run side by side. Fields that a node does not know are ignored, and need no new version; a new kind needs the next
 * number, as nodes before it do not look at the kind of what has a number that they know.
 */
const versions: Record<NodeMessage['kind'], number> = { chat: 1, receipt: 1, change: 1, typing: 2 };

/** {@link NodeBus} over Redis pub/sub, one channel for each node. */
export class RedisNodeBus implements NodeBus {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #channels: string;
  readonly #log: Log;
  #channel: string | undefined;
  #listener: NodeListener | undefined;
  #toldOfVersion = false;

  /** @param subscriber a connection of its own: it can do nothing else */
  constructor(redis: Redis, subscriber: Redis, options: { prefix: string; log: Log }) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#channels = nodeChannelPrefix(options.prefix);
    this.#log = options.log;
    subscriber.on('message', (channel: string, json: string) => {
      if (channel === this.#channel) this.#receiveJson(json);
    });
    // Once more ready: it was not, and what was sent in between is gone.
    subscriber.on('ready', () => void this.#restore());
  }

  async listen(nodeId: string, listener: NodeListener): Promise<void> {
    try {
      if (this.#channel) await this.#subscriber.unsubscribe(this.#channel);
      this.#channel = this.#channels + nodeId;
      this.#listener = listener;
      await this.#subscriber.subscribe(this.#channel);
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error });
    }
  }

  async send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    try {
      return (
        (await this.#redis.publish(
          this.#channels + nodeId,
          JSON.stringify({ v: versions[message.kind], ...message }),
        )) > 0
      );
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
    }
  }

  /** The library subscribes again by itself, at some moment: this knows when that is done. */
  async #restore(): Promise<void> {
    if (!this.#channel || !this.#listener) return;
    try {
      await this.#subscriber.subscribe(this.#channel);
      this.#listener?.missed();
    } catch {
      // The connection is gone again: the next one restores it.
    }
  }

  #receiveJson(json: string): void {
    try {
      const { v, ...message } = JSON.parse(json);
      if (v === undefined || v !== versions[message.kind as NodeMessage['kind']]) this.#tellOfVersion(v);
      else
        this.#listener?.receive(
          message.kind === 'change' ? { ...message, change: decodeChange(message.change) } : message,
        );
    } catch (error) {
      this.#log.warn({ err: error }, 'A message from another node could not be used. It was dropped.');
    }
  }

  #tellOfVersion(v: unknown): void {
    if (this.#toldOfVersion) return;
    this.#toldOfVersion = true;
    this.#log.warn(
      { version: v },
      'Another node sends messages of a version that this node does not know. They are dropped.',
    );
  }
}
