import { connectRedis, whenReady } from '@passerby/redis';
import type { Redis } from 'ioredis';
import { BareSessions, type BegunSession, type EndedSession } from './bare-sessions.ts';

const log = { info: () => {}, warn: () => {} };
/** So many batches are written at a time, as the recorder does it. */
const atOnce = 2;

/**
 * The least that moves facts from an outbox into PostgreSQL and removes them only then: reads the next ones while some are
 * written, by bare statements over two connections. It believes whatever it reads, expects each fact once and no end before
 * its beginning, gives up at the first error, and tells nobody how it is.
 */
export class BareRecorder {
  readonly #redis: Redis;
  readonly #sessions: BareSessions[];

  private constructor(redis: Redis, sessions: BareSessions[]) {
    this.#redis = redis;
    this.#sessions = sessions;
  }

  static async connect({ redisUrl, databaseUrl }: { redisUrl: string; databaseUrl: string }): Promise<BareRecorder> {
    const redis = connectRedis({ url: redisUrl, role: 'bench-bare-recorder', log });
    await whenReady(redis, 10_000);
    const sessions = Array.from({ length: atOnce }, () => BareSessions.connect(databaseUrl));
    return new BareRecorder(redis, await Promise.all(sessions));
  }

  /** Records all facts that wait. */
  async record(outbox: string): Promise<void> {
    let next = this.#read(outbox, '0-0');
    for (let entries = await next; entries.length > 0; entries = await next) {
      next = this.#read(outbox, entries.at(-1)?.[0] ?? '');
      const { batchSize } = BareSessions;
      const written = this.#sessions.map(async (sessions, index) => {
        const batch = entries.slice(index * batchSize, (index + 1) * batchSize);
        const begun: BegunSession[] = [];
        const ended: EndedSession[] = [];
        for (const [, [, fact = '']] of batch) {
          const [kind, id = '', userA = '', userB = '', startedAt, endedAt, endReason = '', messages] = fact.split(' ');
          if (kind === 'started') begun.push({ id, userA, userB, startedAt: Number(startedAt) });
          else ended.push({ id, endedAt: Number(endedAt), endReason, messages: Number(messages) });
        }
        if (begun.length > 0) await sessions.begin(begun);
        if (ended.length > 0) await sessions.end(ended);
        if (batch.length > 0) await this.#redis.xdel(outbox, ...batch.map(([id]) => id));
      });
      await Promise.all(written);
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    await Promise.all(this.#sessions.map(each => each.close()));
  }

  async #read(outbox: string, after: string): Promise<[id: string, fields: string[]][]> {
    const count = atOnce * BareSessions.batchSize;
    const reply = await this.#redis.xread('COUNT', count, 'STREAMS', outbox, after);
    return reply?.[0]?.[1] ?? [];
  }
}
