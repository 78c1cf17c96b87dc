import {
  type OpenSessionsQuery,
  RefusedFactsError,
  type SessionEnded,
  type SessionFact,
  type SessionLog,
  type SessionStarted,
} from '@passerby/core';
import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from './generated/client.ts';

/** Of what PostgreSQL says about refused data, which may repeat the data; in UTF-16 units. */
const longestReason = 200;
/** The end that a recorder concludes, and that gives way to one that a node saw. */
const lost: SessionEnded['endReason'] = 'lost';

export interface PrismaSessionLogOptions {
  databaseUrl: string;
  pool: string;
  /** How long an answer may take at the most, in ms. */
  tryMs?: number;
}

/**
 * The session log of a pool in the table ChatSession.
 *
 * `write` takes a batch of any size in one statement; some thousands of facts are a good size. Every try is bounded in
 * time.
 */
export class PrismaSessionLog implements SessionLog {
  readonly #prisma: PrismaClient;
  readonly #pool: string;

  constructor({ databaseUrl, pool, tryMs = 15_000 }: PrismaSessionLogOptions) {
    const adapter = new PrismaPg({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: tryMs / 3,
      // The server's own limit is the shorter one: the other is for a server that has gone without a word.
      statement_timeout: (2 * tryMs) / 3,
      query_timeout: tryMs,
    });
    this.#prisma = new PrismaClient({ adapter });
    this.#pool = pool;
  }

  async write(facts: readonly SessionFact[]): Promise<void> {
    const sessions = mergeBySession(facts);
    if (sessions.length === 0) return;
    const column = (value: (fact: SessionFact) => string | number) => arrayLiteral(sessions.map(value));
    const endColumn = (value: (ended: SessionEnded) => string | number | null) =>
      arrayLiteral(sessions.map(fact => (fact.kind === 'ended' ? value(fact) : null)));
    try {
      await this.#prisma.$executeRaw`
        INSERT INTO "ChatSession" AS s ("id", "pool", "userA", "userB", "startedAt", "endedAt", "endReason", "messages")
        SELECT id, ${this.#pool}, user_a, user_b, to_timestamp(started_ms / 1000), to_timestamp(ended_ms / 1000), end_reason, messages
        FROM unnest(
          ${column(fact => fact.sessionId)}::uuid[],
          ${column(fact => fact.userA)}::text[],
          ${column(fact => fact.userB)}::text[],
          ${column(fact => fact.startedAt)}::float8[],
          ${endColumn(ended => ended.endedAt)}::float8[],
          ${endColumn(ended => ended.endReason)}::text[],
          ${endColumn(ended => ended.messages)}::int[]
        ) AS fact (id, user_a, user_b, started_ms, ended_ms, end_reason, messages)
        ORDER BY id
        ON CONFLICT ("id") DO UPDATE SET
          "endedAt" = EXCLUDED."endedAt", "endReason" = EXCLUDED."endReason", "messages" = EXCLUDED."messages"
        WHERE (s."endedAt" IS NULL AND EXCLUDED."endedAt" IS NOT NULL)
          OR (s."endReason" = ${lost} AND EXCLUDED."endReason" <> ${lost})`;
    } catch (error) {
      const reason = refusalOf(error);
      throw reason === undefined ? error : new RefusedFactsError(reason, error);
    }
  }

  async check(): Promise<void> {
    await this.#prisma.$queryRaw`SELECT 1 FROM "ChatSession" LIMIT 1`;
  }

  async openSessions({ startedBefore, after, limit }: OpenSessionsQuery): Promise<SessionStarted[]> {
    const rows = await this.#prisma.chatSession.findMany({
      where: {
        pool: this.#pool,
        endedAt: null,
        startedAt: { lt: new Date(startedBefore) },
        ...(after !== '' && { id: { gt: after } }),
      },
      // All have the same endedAt. It is named so that the index on both gives the order.
      orderBy: [{ endedAt: 'asc' }, { id: 'asc' }],
      take: limit,
    });
    return rows.map(({ id, userA, userB, startedAt }) => ({
      kind: 'started',
      sessionId: id,
      userA,
      userB,
      startedAt: startedAt.getTime(),
    }));
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}

/**
 * An array as PostgreSQL reads it. Prisma and its driver would look at each element of an array one after the other, each
 * several times; a text they pass on as it is.
 */
function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(value => (value === null ? 'NULL' : typeof value === 'number' ? value : quoted(value))).join()}}`;
}

function quoted(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;
}

/** One fact for each session, as one statement cannot change a row twice. Decides as the statement does. */
function mergeBySession(facts: readonly SessionFact[]): SessionFact[] {
  const bySession = new Map<string, SessionFact>();
  for (const fact of facts) {
    const known = bySession.get(fact.sessionId);
    if (!known || weight(fact) > weight(known)) bySession.set(fact.sessionId, fact);
  }
  return [...bySession.values()];
}

/** Of two facts about a session the weightier one makes its row; of equal ones, the first. */
function weight(fact: SessionFact): number {
  if (fact.kind === 'started') return 0;
  return fact.endReason === lost ? 1 : 2;
}

/**
 * What PostgreSQL says against the data: SQLSTATE class 22 (data exception) or 23 (integrity). Undefined when it is not
 * the data that is at fault but the server or the moment.
 */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return undefined;
  const driverError = error.meta?.driverAdapterError;
  if (!(driverError instanceof Error)) return undefined;
  const { cause } = driverError;
  if (typeof cause !== 'object' || cause === null || !('originalCode' in cause)) return undefined;
  if (typeof cause.originalCode !== 'string' || !/^2[23]/.test(cause.originalCode)) return undefined;
  const message = 'originalMessage' in cause ? String(cause.originalMessage).slice(0, longestReason) : '';
  return `SQLSTATE ${cause.originalCode}: ${message}`;
}
