import { randomBytes, randomUUID } from 'node:crypto';
import { connectRedis, TurnPipeline, whenReady } from '@passerby/redis';
import type { Redis } from 'ioredis';
import type { Matcher } from '../matcher.ts';
import { BareSessions, type BegunSession, type EndedSession } from './bare-sessions.ts';

const log = { info: () => {}, warn: () => {} };
/** A request's number, and a revision, of a user who was in some chats before. */
const usual = 12;

/** All have the six KEYS of Passerby's scripts, and begin with ARGV[1] prefix of channels [2] now, in ms [3] userId [4] nodeId */
const scripts = {
  // [5] requestId [6] revision [7] sessionId [8] token [9] as long as a random number
  wait: `#!lua
local time = redis.call('TIME')
redis.call('HGET', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], time[1] .. time[2], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[3],
  '1 w ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6] .. ' - - ' .. time[1] .. time[2] .. ' - - -')`,

  // The same, but [9] partnerId
  pair: `#!lua
redis.call('HGET', KEYS[1], ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[9])
local entry = '1 p ' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6] .. ' '
local session = ' ' .. ARGV[7] .. ' ' .. ARGV[2]
redis.call('HSET', KEYS[1], ARGV[3], entry .. ARGV[9] .. session .. ' b - -', ARGV[9], entry .. ARGV[3] .. session .. ' a - -')
redis.call('XADD', KEYS[4], '*', 'fact', 'started ' .. ARGV[7] .. ' ' .. ARGV[9] .. ' ' .. ARGV[3] .. ' ' .. ARGV[2])
redis.call('PUBLISH', ARGV[1] .. ARGV[4],
  '{"v":1,"kind":"change","change":{"userId":"' .. ARGV[9] .. '","revision":' .. ARGV[6] .. ',"state":"p","session":{"sessionId":"' ..
  ARGV[7] .. '","partnerId":"' .. ARGV[3] .. '","startedAt":' .. ARGV[2] .. ',"side":"a","partnerNode":"' .. ARGV[4] .. '"}}}')`,

  // [5] sessionId [6] when it began, in ms [7] number of messages [8] partnerId
  end: `#!lua
redis.call('HGET', KEYS[1], ARGV[3])
redis.call('XADD', KEYS[4], '*', 'fact', 'ended ' .. ARGV[5] .. ' ' .. ARGV[8] .. ' ' .. ARGV[3] .. ' ' .. ARGV[6] .. ' ' ..
  ARGV[2] .. ' end ' .. ARGV[7])
local entry = '1 i ' .. ARGV[4] .. ' ${usual} ${usual} '
redis.call('HSET', KEYS[1], ARGV[3], entry .. ARGV[8] .. ' - - - - -', ARGV[8], entry .. ARGV[3] .. ' - - - - -')
redis.call('PUBLISH', ARGV[1] .. ARGV[4], '{"v":1,"kind":"change","change":{"userId":"' .. ARGV[8] ..
  '","revision":${usual},"state":"i","ended":{"sessionId":"' .. ARGV[5] .. '","reason":"end"}}}')`,
};

export interface BareMatcherOptions {
  redisUrl: string;
  databaseUrl: string;
  /** Of the keys. Default: the one that nodes use unless told otherwise. */
  prefix?: string;
}

/**
 * What a match costs at the very least when it is made as Passerby makes it: as many calls of Redis, with as many keys and
 * arguments, sent in the same way, and the commands that must be: they read the user's entry, change the queue and both
 * entries, keep the fact and tell the node of the partner. Then two bare statements for each batch of rows.
 *
 * It decides nothing in Redis, as only one process may search and knows who waits. So it leaves out leases, request ids, members,
 * calls that come too late, whom one has just met, drawing at random, and replies. Nobody reads the facts: the rows are written
 * from the memory of this process, and those that it had not written when it ends are lost.
 */
export class BareMatcher implements Matcher {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #pipeline: TurnPipeline;
  readonly #sessions: BareSessions;
  readonly #keys: { outbox: string; all: string[] };
  readonly #channels: string;
  readonly #nodeId = randomBytes(6).toString('base64url');
  /** The SHA1 of each script. */
  readonly #shas = new Map<keyof typeof scripts, string>();
  #waiting: string | undefined;
  /** By the user who found a partner. */
  readonly #chats = new Map<string, BegunSession>();
  #begun: BegunSession[] = [];
  #ended: EndedSession[] = [];
  /** Settles when all that was handed over is written. */
  #written = Promise.resolve();

  private constructor(
    redis: Redis,
    subscriber: Redis,
    { sessions, prefix }: { sessions: BareSessions; prefix: string },
  ) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#pipeline = new TurnPipeline(redis);
    this.#sessions = sessions;
    const key = (name: string) => `${prefix}:{lobby}:${name}`;
    const outbox = key('outbox');
    this.#keys = {
      outbox,
      all: [key('users'), key('queue'), key('leases'), outbox, key('away'), key(`members:${this.#nodeId}`)],
    };
    this.#channels = `${prefix}:node:`;
  }

  static async start({ redisUrl, databaseUrl, prefix = 'passerby' }: BareMatcherOptions): Promise<BareMatcher> {
    const [redis, subscriber] = ['bench-bare', 'bench-bare-subscriber'].map(role =>
      connectRedis({ url: redisUrl, role, log }),
    ) as [Redis, Redis];
    await Promise.all([redis, subscriber].map(each => whenReady(each, 10_000)));
    const sessions = await BareSessions.connect(databaseUrl);
    const matcher = new BareMatcher(redis, subscriber, { sessions, prefix });
    await subscriber.subscribe(matcher.#channels + matcher.#nodeId);
    for (const name of ['wait', 'pair', 'end'] as const) {
      matcher.#shas.set(name, (await redis.script('LOAD', scripts[name])) as string);
    }
    return matcher;
  }

  async search(userId: string): Promise<string | undefined> {
    const partnerId = this.#waiting;
    this.#waiting = partnerId === undefined ? userId : undefined;
    const chat = { id: randomUUID(), userA: partnerId ?? '', userB: userId, startedAt: Date.now() };
    const user = [chat.startedAt, userId, this.#nodeId, usual, usual, chat.id, '-'];
    if (partnerId === undefined) {
      await this.#call('wait', [...user, 2 ** 31]);
      return undefined;
    }
    await this.#call('pair', [...user, partnerId]);
    this.#chats.set(userId, chat);
    this.#begun.push(chat);
    this.#writeFullBatches();
    return partnerId;
  }

  async end(userId: string): Promise<void> {
    const chat = this.#chats.get(userId);
    if (!chat) return;
    this.#chats.delete(userId);
    const { id, userA, startedAt } = chat;
    const ended = { id, endedAt: Date.now(), endReason: 'end', messages: 12 };
    await this.#call('end', [ended.endedAt, userId, this.#nodeId, id, startedAt, ended.messages, userA]);
    this.#ended.push(ended);
    this.#writeFullBatches();
  }

  /** Removes the facts, too, which nobody else does. */
  async recorded(): Promise<void> {
    this.#write();
    await this.#written;
    await this.#redis.unlink(this.#keys.outbox);
  }

  async close(): Promise<void> {
    for (const each of [this.#redis, this.#subscriber]) each.disconnect();
    await this.#sessions.close();
  }

  async #call(script: keyof typeof scripts, args: (string | number)[]): Promise<void> {
    const { all } = this.#keys;
    await this.#pipeline.call((pipeline, callback) =>
      pipeline.evalsha(this.#shas.get(script) ?? '', all.length, ...all, this.#channels, ...args, callback),
    );
  }

  #writeFullBatches(): void {
    if (Math.max(this.#begun.length, this.#ended.length) >= BareSessions.batchSize) this.#write();
  }

  /** Both, as nothing may end that is not written as having begun. Users go on meanwhile. */
  #write(): void {
    const [begun, ended] = [this.#begun, this.#ended];
    this.#begun = [];
    this.#ended = [];
    this.#written = this.#written.then(async () => {
      if (begun.length > 0) await this.#sessions.begin(begun);
      if (ended.length > 0) await this.#sessions.end(ended);
    });
  }
}
