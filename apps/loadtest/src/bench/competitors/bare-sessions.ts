import pg from 'pg';

export interface BegunSession {
  id: string;
  userA: string;
  userB: string;
  /** In ms since the epoch. */
  startedAt: number;
}

export interface EndedSession {
  id: string;
  /** In ms since the epoch. */
  endedAt: number;
  endReason: string;
  messages: number;
}

/**
 * The least that writes sessions twice into the table as it is: an INSERT for those that have begun and an UPDATE for those that
 * have ended, each for a whole batch, over one connection. What has begun twice is an error, and what ends without having
 * begun is not written: nobody looks whether a row is there, nothing is kept until it is written, and nothing is tried again.
 */
export class BareSessions {
  /** How many to write at once: as many facts as the recorder takes. */
  static readonly batchSize = 2000;
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async connect(databaseUrl: string): Promise<BareSessions> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    return new BareSessions(client);
  }

  /** Creates the rows of sessions, each of them once. */
  async begin(batch: readonly BegunSession[]): Promise<void> {
    await this.#client.query(
      `INSERT INTO "ChatSession" ("id", "pool", "userA", "userB", "startedAt")
      SELECT id, 'bare', user_a, user_b, to_timestamp(started_ms / 1000)
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[]) AS begun (id, user_a, user_b, started_ms)`,
      [
        arrayLiteral(batch.map(({ id }) => id)),
        arrayLiteral(batch.map(({ userA }) => userA)),
        arrayLiteral(batch.map(({ userB }) => userB)),
        arrayLiteral(batch.map(({ startedAt }) => startedAt)),
      ],
    );
  }

  /** Updates the rows of sessions that have begun. */
  async end(batch: readonly EndedSession[]): Promise<void> {
    await this.#client.query(
      `UPDATE "ChatSession" AS s
      SET "endedAt" = to_timestamp(ended_ms / 1000), "endReason" = end_reason, "messages" = ended.messages
      FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::int[]) AS ended (id, ended_ms, end_reason, messages)
      WHERE s."id" = ended.id`,
      [
        arrayLiteral(batch.map(({ id }) => id)),
        arrayLiteral(batch.map(({ endedAt }) => endedAt)),
        arrayLiteral(batch.map(({ endReason }) => endReason)),
        arrayLiteral(batch.map(({ messages }) => messages)),
      ],
    );
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

/** An array as PostgreSQL reads it. Ids, numbers and reasons need no quotes. */
function arrayLiteral(values: readonly (string | number)[]): string {
  return `{${values.join()}}`;
}
