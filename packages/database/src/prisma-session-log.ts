import { RefusedFactsError, type SessionEnded, type SessionFact, type SessionLog } from '@passerby/core';
import { PrismaPg } from '@prisma/adapter-pg';
import { Prisma, PrismaClient } from './generated/client.ts';

const connectTimeoutMs = 5_000;
const statementTimeoutMs = 10_000;
/** Longer than the statement's own: it is for a server that has gone without a word. */
const answerTimeoutMs = 15_000;

/**
 * The session log in the table ChatSession.
 *
 * `write` takes a batch of any size in one statement; some hundreds of facts are a good size. An ended session never
 * opens again, and the first end that is written stays. Every try is bounded in time.
 */
export class PrismaSessionLog implements SessionLog {
  readonly #prisma: PrismaClient;

  constructor(databaseUrl: string) {
    const adapter = new PrismaPg({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: statementTimeoutMs,
      query_timeout: answerTimeoutMs,
    });
    this.#prisma = new PrismaClient({ adapter });
  }

  async write(facts: readonly SessionFact[]): Promise<void> {
    const sessions = mergeBySession(facts);
    if (sessions.length === 0) return;
    const column = <T>(value: (fact: SessionFact) => T): T[] => sessions.map(value);
    const endColumn = <T>(value: (ended: SessionEnded) => T): (T | null)[] =>
      sessions.map(fact => (fact.kind === 'ended' ? value(fact) : null));
    try {
      await this.#prisma.$executeRaw`
        INSERT INTO "ChatSession" AS s ("id", "userA", "userB", "startedAt", "endedAt", "endReason", "messages")
        SELECT id, user_a, user_b, to_timestamp(started_ms / 1000), to_timestamp(ended_ms / 1000), end_reason, messages
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
        WHERE s."endedAt" IS NULL AND EXCLUDED."endedAt" IS NOT NULL`;
    } catch (error) {
      if (isRefusal(error)) throw new RefusedFactsError(facts.length, error);
      throw error;
    }
  }

  async check(): Promise<void> {
    await this.#prisma.$queryRaw`SELECT 1 FROM "ChatSession" LIMIT 1`;
  }

  async close(): Promise<void> {
    await this.#prisma.$disconnect();
  }
}

/** One fact for each session, as one statement cannot change a row twice. The first end wins over everything. */
function mergeBySession(facts: readonly SessionFact[]): SessionFact[] {
  const bySession = new Map<string, SessionFact>();
  for (const fact of facts) {
    if (bySession.get(fact.sessionId)?.kind !== 'ended') bySession.set(fact.sessionId, fact);
  }
  return [...bySession.values()];
}

/** SQLSTATE class 22 (data exception) or 23 (integrity): the data is at fault, and not the server or the moment. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false;
  const driverError = error.meta?.driverAdapterError;
  if (!(driverError instanceof Error)) return false;
  const { cause } = driverError;
  if (typeof cause !== 'object' || cause === null || !('originalCode' in cause)) return false;
  return typeof cause.originalCode === 'string' && /^2[23]/.test(cause.originalCode);
}
