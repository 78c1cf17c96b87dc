import { setImmediate as endOfTurn } from 'node:timers/promises';
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
import { decodeChange, type EncodedChange } from './user-change-codec.ts';

/**
 * Versions of what nodes and scripts send to nodes, by kind. A node drops what has another one, so that nodes of two versions
 * can run side by side. Fields that a node does not know are ignored, and need no new version; a new kind needs the next
 * number, as nodes before it do not look at the kind of what has a number that they know.
 */
const versions: Record<Exclude<NodeMessage['kind'], 'unreadable'> | 'batch', number> = {
  chat: 1,
  receipt: 1,
  change: 1,
  typing: 2,
  batch: 2,
  dropped: 3,
};

/** A message as it is sent. */
type SentMessage = { v?: number } & (RoutedMessage | { kind: 'change'; change: EncodedChange });

/** Messages that go to a node together. */
interface Batch {
  messages: RoutedMessage[];
  sent: Promise<boolean>;
}

/**
 * {@link NodeBus} over Redis pub/sub, one channel for each node. What one turn of the event loop sends to a node goes in
 * one publish: the more there is to do, the less each message costs, here, in Redis and at the receiver.
 */
export class RedisNodeBus implements NodeBus {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #channels: string;
  readonly #log: Log;
  /** By node, until the end of this turn of the event loop. */
  readonly #batches = new Map<string, Batch>();
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
    subscriber.on('ready', () => {
      this.#restore().catch(error => this.#log.warn({ err: error }, 'What was missed could not be looked for.'));
    });
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

  send(nodeId: string, message: RoutedMessage): Promise<boolean> {
    const batch = this.#batches.get(nodeId) ?? this.#openBatch(nodeId);
    batch.messages.push(message);
    return batch.sent;
  }

  #openBatch(nodeId: string): Batch {
    const messages: RoutedMessage[] = [];
    const batch = { messages, sent: endOfTurn().then(() => this.#publish(nodeId, messages)) };
    this.#batches.set(nodeId, batch);
    return batch;
  }

  async #publish(nodeId: string, messages: RoutedMessage[]): Promise<boolean> {
    this.#batches.delete(nodeId);
    const marked = messages.map(message => ({ v: versions[message.kind], ...message }));
    const whole = marked.length === 1 ? marked[0] : { v: versions.batch, kind: 'batch', messages: marked };
    try {
      return (await this.#redis.publish(this.#channels + nodeId, JSON.stringify(whole))) > 0;
    } catch (error) {
      throw new ChatError('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
    }
  }

  /** Once more ready: it was not, and what was sent in between is gone. */
  async #restore(): Promise<void> {
    if (!this.#channel || !this.#listener) return;
    try {
      await this.#subscriber.subscribe(this.#channel);
    } catch (error) {
      // If the connection is gone again, the next one restores it. If not, a new one is the way to try again.
      if (this.#subscriber.status !== 'ready') return;
      this.#log.warn({ err: error }, 'This node cannot listen to the others. It connects to Redis again.');
      this.#subscriber.disconnect(true);
      return;
    }
    this.#listener?.missed();
  }

  #receiveJson(json: string): void {
    let whole: SentMessage | { kind: 'batch'; v?: number; messages: SentMessage[] } | undefined;
    try {
      whole = JSON.parse(json);
      if (whole?.kind !== 'batch') this.#receive(whole as SentMessage);
      else if (whole.v !== versions.batch) this.#tellOfVersion(whole.v);
      else for (const message of whole.messages) this.#receive(message);
    } catch (error) {
      this.#tellOfUnusable(error);
      if (whole === undefined) this.#listener?.receive({ kind: 'unreadable', userId: undefined });
    }
  }

  /** One that fails must not take those behind it with it. */
  #receive(sent: SentMessage): void {
    try {
      const { v, ...message } = sent;
      if (v !== undefined && v === versions[message.kind]) {
        this.#listener?.receive(
          message.kind === 'change' ? { ...message, change: decodeChange(message.change) } : message,
        );
        return;
      }
      this.#tellOfVersion(v);
    } catch (error) {
      this.#tellOfUnusable(error);
    }
    // Messages are lost, and clients send them again. What a change told must be asked for.
    if (sent?.kind === 'change') this.#listener?.receive({ kind: 'unreadable', userId: userIdOf(sent.change) });
  }

  #tellOfUnusable(error: unknown): void {
    this.#log.warn({ err: error }, 'A message from another node could not be used. It was dropped.');
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

/** Whom a change is about, if that can be read. */
function userIdOf(change: Partial<EncodedChange> | null | undefined): string | undefined {
  return typeof change?.userId === 'string' ? change.userId : undefined;
}
