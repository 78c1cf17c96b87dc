import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis, TurnBatch, whenReady } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { v7 as newSessionId } from 'uuid';
import type { Matcher } from '../matcher.ts';
import { BareSessions, type BegunSession, type EndedSession } from './bare-sessions.ts';

const log = { info: () => {}, warn: () => {} };
/** A request's number, and a revision, of a user who was in some chats before. */
const usual = 12;

/** All entries are written by one command. */
const writes = `local entries, n = {}, 0
local function write(userId, entry)
  n = n + 2
  entries[n - 1], entries[n] = userId, entry
end`;

/**
 * Both have the six KEYS of Passerby's scripts, and begin with ARGV[1] prefix of channels [2] as long as a time in ms [3] nodeId.
 * Then as many for each user as Passerby's scripts have.
 */
const scripts = {
  // a number that is not looked at; then for each: userId "requestId revision" sessionId token startedAt partnerId, or - for one
  // who waits
  search: `#!lua
${writes}
local time = redis.call('TIME')
for first = 5, #ARGV, 6 do
  local userId, counts, sessionId, token, startedAt, partnerId = unpack(ARGV, first, first + 5)
  local numbers = ' ' .. ARGV[3] .. ' ' .. counts .. ' '
  redis.call('HGET', KEYS[1], userId)
  if partnerId == '-' then
    local since = time[1] .. time[2]
    redis.call('ZADD', KEYS[2], since, userId)
    write(userId, '1 w' .. numbers .. '- - ' .. since .. ' - ' .. token .. ' -')
  else
    redis.call('ZREM', KEYS[2], partnerId)
    local session = ' ' .. sessionId .. ' ' .. startedAt
    write(userId, '1 p' .. numbers .. partnerId .. session .. ' b - -')
    write(partnerId, '1 p' .. numbers .. userId .. session .. ' a - -')
    redis.call('XADD', KEYS[4], '*', 'fact', 'started ' .. sessionId .. ' ' .. partnerId .. ' ' .. userId .. ' ' .. startedAt)
    redis.call('PUBLISH', ARGV[1] .. ARGV[3], '{"v":1,"kind":"change","change":{"userId":"' .. partnerId ..
      '","revision":${usual},"state":"p","session":{"sessionId":"' .. sessionId .. '","partnerId":"' .. userId .. '","startedAt":' ..
      startedAt .. ',"side":"a","partnerNode":"' .. ARGV[3] .. '"}}}')
  end
end
redis.call('HSET', KEYS[1], unpack(entries))
return {}`,

  // userId sessionId "startedAt endedAt" number of messages partnerId
  end: `#!lua
${writes}
for first = 4, #ARGV, 5 do
  local userId, sessionId, times, messages, partnerId = unpack(ARGV, first, first + 4)
  redis.call('HGET', KEYS[1], userId)
  redis.call('XADD', KEYS[4], '*', 'fact', 'ended ' .. sessionId .. ' ' .. partnerId .. ' ' .. userId .. ' ' .. times .. ' end ' ..
    messages)
  local entry = '1 i ' .. ARGV[3] .. ' ${usual} ${usual} '
  write(userId, entry .. partnerId .. ' - - - - -')
  write(partnerId, entry .. userId .. ' - - - - -')
  redis.call('PUBLISH', ARGV[1] .. ARGV[3], '{"v":1,"kind":"change","change":{"userId":"' .. partnerId ..
    '","revision":${usual},"state":"i","ended":{"sessionId":"' .. sessionId .. '","reason":"end"}}}')
end
redis.call('HSET', KEYS[1], unpack(entries))
return {}`,
};

export interface BareMatcherOptions {
  redisUrl: string;
  /** Where it writes the rows itself. Without it, a recorder has to read the facts from the outbox. */
  databaseUrl?: string;
  /** Of the keys. Default: the one that nodes use unless told otherwise. */
  prefix?: string;
}

/**
 * What a match costs at the very least when it is made as Passerby makes it: as many calls of Redis, with as many keys and
 * arguments, gathered in the same way, and the commands that must be: they read the user's entry, change the queue and both
 * entries, keep the fact and tell the node of the partner. Then two bare statements for each batch of rows, or Passerby's recorder.
 *
 * It decides nothing in Redis, as only one process may search and knows who waits. So it leaves out leases, request ids, members,
 * calls that come too late, whom one has just met, drawing at random, and replies. Without a recorder nobody reads the facts: the
 * rows are written from the memory of this process, and those that it had not written when it ends are lost.
 */
export class BareMatcher implements Matcher {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #searches: TurnBatch<unknown>;
  readonly #ends: TurnBatch<unknown>;
  readonly #sessions: BareSessions | undefined;
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
    { sessions, prefix }: { sessions: BareSessions | undefined; prefix: string },
  ) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    this.#searches = new TurnBatch((_, args) => this.#call('search', [0, ...args]));
    this.#ends = new TurnBatch((_, args) => this.#call('end', args));
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
    const sessions = databaseUrl === undefined ? undefined : await BareSessions.connect(databaseUrl);
    const matcher = new BareMatcher(redis, subscriber, { sessions, prefix });
    await subscriber.subscribe(matcher.#channels + matcher.#nodeId);
    for (const name of ['search', 'end'] as const) {
      matcher.#shas.set(name, (await redis.script('LOAD', scripts[name])) as string);
    }
    return matcher;
  }

  async search(userId: string): Promise<string | undefined> {
    const partnerId = this.#waiting;
    this.#waiting = partnerId === undefined ? userId : undefined;
    const chat = { id: newSessionId(), userA: partnerId ?? '', userB: userId, startedAt: Date.now() };
    const args = [userId, `${usual} ${usual}`, chat.id, '-', chat.startedAt, partnerId ?? '-'];
    await this.#searches.ask(this.#nodeId, args);
    if (partnerId === undefined) return undefined;
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
    await this.#ends.ask(this.#nodeId, [userId, id, `${startedAt} ${ended.endedAt}`, ended.messages, userA]);
    this.#ended.push(ended);
    this.#writeFullBatches();
  }

  /** Removes the facts, too, if nobody else does. */
  async recorded(): Promise<void> {
    const { outbox } = this.#keys;
    if (this.#sessions) {
      this.#write();
      await this.#written;
      await this.#redis.unlink(outbox);
    } else while ((await this.#redis.xlen(outbox)) > 0) await delay(5);
  }

  async close(): Promise<void> {
    for (const each of [this.#redis, this.#subscriber]) each.disconnect();
    await this.#sessions?.close();
  }

  async #call(script: keyof typeof scripts, args: (string | number)[]): Promise<never[]> {
    const { all } = this.#keys;
    const beginning = [this.#channels, Date.now(), this.#nodeId];
    const sha = this.#shas.get(script) ?? '';
    // As a pipeline, as the automatic one would wait for the replies to what went before.
    const pipeline = this.#redis.pipeline().evalsha(sha, all.length, ...all, ...beginning, ...args);
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    return [];
  }

  #writeFullBatches(): void {
    if (Math.max(this.#begun.length, this.#ended.length) >= BareSessions.batchSize) this.#write();
  }

  /** Both, as nothing may end that is not written as having begun. Users go on meanwhile. */
  #write(): void {
    const [begun, ended, sessions] = [this.#begun, this.#ended, this.#sessions];
    this.#begun = [];
    this.#ended = [];
    this.#written = this.#written.then(async () => {
      if (begun.length > 0) await sessions?.begin(begun);
      if (ended.length > 0) await sessions?.end(ended);
    });
  }
}
