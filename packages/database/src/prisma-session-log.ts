import { randomBytes, randomUUID } from 'node:crypto';
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

/**
 * The classes of SQLSTATE of failures that pass, by themselves or when an operator mends them, whatever was to be written.
 * Class 42 (no such table, column or right) is not among them: a trigger may fail so for one row; the probe tells.
 */
const passingClasses = new Set([
  '08', // the connection is lost, or a pooler refuses it
  '25', // the server is read-only (25006), or the transaction was ended from outside
  '28', // the role or the password is wrong
  '3D', // there is no such database
  '40', // deadlock, serialization
  '53', // no disk, memory or connection left
  '57', // shutdown, restart, statement_timeout, cancelled
  '58', // the server's own input and output
]);
/** Somebody else holds what is needed. The rest of class 55 may be about one row. */
const passingCodes = new Set(['55P03', '55006']);

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
 *
 * Facts count as refused only if the table takes a harmless row right after it refused them: one of this pool with two new
 * users, of now, in a transaction that is rolled back. If it refuses that row, too, the table or the server is at fault, not
 * the facts, and `write` rejects with an error that says so and is worth a retry.
 */
export class PrismaSessionLog implements SessionLog {
  readonly #prisma: PrismaClient;
  readonly #pool: string;
  readonly #tryMs: number;

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
    this.#tryMs = tryMs;
  }

  async write(facts: readonly SessionFact[]): Promise<void> {
    const sessions = mergeBySession(facts);
    if (sessions.length === 0) return;
    const refusal = await this.#try(sessions);
    if (!refusal) return;
    await this.#probe();
    // What was wrong with the table may be over by now. Of several facts the caller tries each again; of one, nobody else would.
    const last = sessions.length === 1 ? await this.#try(sessions) : refusal;
    if (last) throw last;
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

  /** Writes, and answers with the refusal, if that is what comes of it. Rejects when the failure is one that passes. */
  async #try(sessions: readonly SessionFact[]): Promise<RefusedFactsError | undefined> {
    try {
      await upsert(this.#prisma, this.#pool, sessions);
      return undefined;
    } catch (error) {
      const reason = refusalOf(error);
      if (reason === undefined) throw error;
      return new RefusedFactsError(reason, error);
    }
  }

  /**
   * Rejects unless the table takes a row like any other, and its end. It is rolled back, so nothing of it is ever seen. What
   * is refused although the table takes this one is refused for its data.
   */
  async #probe(): Promise<void> {
    const [userA, userB] = [newUserId(), newUserId()];
    const started: SessionStarted = { kind: 'started', sessionId: randomUUID(), userA, userB, startedAt: Date.now() };
    const undo = new Error('The probe was taken.');
    const probe = this.#prisma.$transaction(
      async transaction => {
        await upsert(transaction, this.#pool, [started]);
        const ended = { endedAt: started.startedAt, endReason: 'end', messages: 0 } as const;
        await upsert(transaction, this.#pool, [{ ...started, kind: 'ended', ...ended }]);
        // What is only looked at in a commit must be seen, too.
        await transaction.$executeRaw`SET CONSTRAINTS ALL IMMEDIATE`;
        throw undo;
      },
      { maxWait: this.#tryMs, timeout: this.#tryMs },
    );
    await probe.catch(error => {
      if (error === undo) return;
      const reason = refusalOf(error);
      if (reason === undefined) throw error;
      throw new Error(`PostgreSQL takes no row into "ChatSession" now, not even a harmless one: ${reason}`, {
        cause: error,
      });
    });
  }
}

/** Writes at most one fact for each session, in one statement. */
async function upsert(
  client: Pick<PrismaClient, '$executeRaw'>,
  pool: string,
  sessions: readonly SessionFact[],
): Promise<void> {
  const column = (value: (fact: SessionFact) => string | number) => arrayLiteral(sessions.map(value));
  const endColumn = (value: (ended: SessionEnded) => string | number | null) =>
    arrayLiteral(sessions.map(fact => (fact.kind === 'ended' ? value(fact) : null)));
  await client.$executeRaw`
    INSERT INTO "ChatSession" AS s ("id", "pool", "userA", "userB", "startedAt", "endedAt", "endReason", "messages")
    SELECT id, ${pool}, user_a, user_b, to_timestamp(started_ms / 1000), to_timestamp(ended_ms / 1000), end_reason, messages
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
 * What PostgreSQL says against what was written. Undefined when the failure is one that passes, and says nothing about the
 * data: it has no SQLSTATE (the network, our own time limits), or one of these classes.
 */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return undefined;
  const driverError = error.meta?.driverAdapterError;
  if (!(driverError instanceof Error)) return undefined;
  const { cause } = driverError;
  if (typeof cause !== 'object' || cause === null || !('originalCode' in cause)) return undefined;
  const code = cause.originalCode;
  if (typeof code !== 'string' || passingClasses.has(code.slice(0, 2)) || passingCodes.has(code)) return undefined;
  const message = 'originalMessage' in cause ? String(cause.originalMessage).slice(0, longestReason) : '';
  return `SQLSTATE ${code}: ${message}`;
}

function newUserId(): string {
  return randomBytes(15).toString('base64url');
}
