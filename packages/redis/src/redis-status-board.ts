import {
  ChatError,
  isLost,
  lostLastsMs,
  type NodeStatus,
  type PoolStatus,
  type RecorderStatus,
  type StatusBoard,
} from '@passerby/core';
import type { Redis } from 'ioredis';
import { type PoolLocation, poolKeys } from './keys.ts';
import { defineScripts } from './scripts.ts';

/** Version of what nodes and recorders say. What has another one is not understood; unknown fields are ignored. */
const version = 1;
const recorderLastsMs = 30_000;

/** {@link StatusBoard} in Redis. What is said goes by itself, when nothing is said again. */
export class RedisStatusBoard implements StatusBoard {
  readonly #redis: Redis;
  readonly #keys: ReturnType<typeof poolKeys>;

  constructor(redis: Redis, location: PoolLocation) {
    defineScripts(redis);
    this.#redis = redis;
    this.#keys = poolKeys(location);
  }

  async postNode(nodeId: string, status: NodeStatus): Promise<void> {
    await this.#post(nodeId, JSON.stringify({ v: version, ...status }));
  }

  async removeNode(nodeId: string): Promise<void> {
    await this.#post(nodeId, '');
  }

  async postRecorder(status: RecorderStatus): Promise<void> {
    const json = JSON.stringify({ v: version, ...status });
    await reached(this.#redis.set(this.#keys.recorder, json, 'PX', recorderLastsMs));
  }

  async removeRecorder(): Promise<void> {
    await reached(this.#redis.del(this.#keys.recorder));
  }

  async read(): Promise<PoolStatus> {
    const { nodes, leases, recorder, queue } = this.#keys;
    const [posted, lapsing, said, leftMs, waiting, [, oldest], [seconds, microseconds]] = await reached(
      Promise.all([
        this.#redis.hgetall(nodes),
        this.#redis.zrange(leases, '0', '-1', 'WITHSCORES'),
        this.#redis.get(recorder),
        this.#redis.pttl(recorder),
        this.#redis.zcard(queue),
        this.#redis.zrange(queue, '0', '0', 'WITHSCORES'),
        this.#redis.time(),
      ]),
    );
    const nowMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
    const leased = new Map(pairs(lapsing));
    const recorderStatus = said === null ? undefined : decode<RecorderStatus>(said);
    return {
      nodes: [...leased].map(([nodeId, lapsesAt]) => ({
        nodeId,
        lapsed: Number(lapsesAt) <= nowMs,
        last: decodePosted(posted[nodeId], nowMs),
      })),
      lost: Object.keys(posted).flatMap(nodeId => {
        const last = leased.has(nodeId) ? undefined : decodePosted(posted[nodeId], nowMs);
        return last && isLost(last.ageMs) ? [{ nodeId, last }] : [];
      }),
      recorder: recorderStatus && { status: recorderStatus, ageMs: Math.max(0, recorderLastsMs - leftMs) },
      waiting,
      oldestWaitMs: oldest === undefined ? 0 : Math.max(0, Math.round(nowMs - Number(oldest) / 1000)),
    };
  }

  async #post(nodeId: string, json: string): Promise<void> {
    await reached(this.#redis.postStatus(this.#keys.nodes, this.#keys.leases, nodeId, json, lostLastsMs));
  }
}

async function reached<Reply>(reply: Promise<Reply>): Promise<Reply> {
  try {
    return await reply;
  } catch (error) {
    throw new ChatError('UNAVAILABLE', { cause: error });
  }
}

function pairs(flat: string[]): [string, string][] {
  return flat.flatMap((text, i) => (i % 2 === 0 ? [[text, flat[i + 1] ?? ''] as [string, string]] : []));
}

function decodePosted(text: string | undefined, nowMs: number): { status: NodeStatus; ageMs: number } | undefined {
  if (text === undefined) return undefined;
  const space = text.indexOf(' ');
  const status = decode<NodeStatus>(text.slice(space + 1));
  // Where somebody else has put something there, this node must go on with what the others say.
  const isWhole = typeof status?.users?.idle === 'number' && Array.isArray(status.waitsMs) && !!status.errors;
  if (!status || !isWhole) return undefined;
  return { status, ageMs: Math.max(0, Math.round(nowMs - Number(text.slice(0, space)))) };
}

function decode<Status>(json: string): Status | undefined {
  try {
    const { v, ...status } = JSON.parse(json) as Status & { v?: unknown };
    return v === version ? (status as Status) : undefined;
  } catch {
    return undefined;
  }
}
