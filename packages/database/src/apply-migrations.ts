import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const migrationsDir = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** The advisory lock of `prisma migrate` itself, so that it and this module exclude each other. */
const prismaLockId = 72707369;
const lockWaitMs = 60_000;
const connectTimeoutMs = 10_000;

/** The table of `prisma migrate`, to the letter. */
const createHistory = `
  CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id"                  VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"            VARCHAR(64) NOT NULL,
    "finished_at"         TIMESTAMPTZ,
    "migration_name"      VARCHAR(255) NOT NULL,
    "logs"                TEXT,
    "rolled_back_at"      TIMESTAMPTZ,
    "started_at"          TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
  )`;

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

interface HistoryRow {
  migration_name: string;
  checksum: string;
  started_at: Date;
  finished_at: Date | null;
  logs: string | null;
}

/**
 * Brings a database to the present schema and answers the names of the migrations that it applied, in order; none when
 * there was nothing to do. Does what `prisma migrate deploy` does and notes it in the same way, without Prisma's schema
 * engine. Safe to run from several places at once: one works, the others wait and find nothing to do.
 *
 * A migration and the note of it are one transaction: whenever this process, the connection or the server ends, either both
 * are there or neither is, and the next call goes on from there. A migration that fails is rolled back, noted as failed, and
 * stops the rest. One with a statement that cannot be in a transaction (`CREATE INDEX CONCURRENTLY`), or that begins or ends
 * one, is refused, rolled back and not noted: it cannot be applied and noted at once, so it is left to `prisma migrate deploy`.
 *
 * Rejects, before it changes any of your tables, when an earlier migration failed, when nobody noted how one ended, or when
 * the file of an applied one has changed.
 */
export async function applyMigrations(databaseUrl: string, dir = migrationsDir): Promise<string[]> {
  const migrations = await readMigrations(dir);
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  // A connection that is lost between two queries would otherwise end the process; the next query rejects anyway.
  client.on('error', () => {});
  await client.connect();
  try {
    await lock(client);
    await client.query(createHistory);
    const pending = findPending(migrations, await readHistory(client));
    for (const migration of pending) await apply(client, migration);
    return pending.map(({ name }) => name);
  } finally {
    await client.end(); // gives the lock back, too
  }
}

async function readMigrations(dir: string): Promise<Migration[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const names = entries.filter(entry => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(
    names.sort().map(async name => {
      const sql = await readFile(`${dir}/${name}/migration.sql`, 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function lock(client: pg.Client): Promise<void> {
  try {
    await client.query(`SET lock_timeout = ${lockWaitMs}`);
    await client.query('SELECT pg_advisory_lock($1)', [prismaLockId]);
    await client.query('RESET lock_timeout');
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '55P03') throw error;
    throw new Error(
      `Another migration of this database has been running for more than ${lockWaitMs / 1000} s. Wait for it to end, then try again.`,
    );
  }
}

async function readHistory(client: pg.Client): Promise<HistoryRow[]> {
  const { rows } = await client.query<HistoryRow>(
    `SELECT migration_name, checksum, started_at, finished_at, logs FROM "_prisma_migrations" WHERE rolled_back_at IS NULL`,
  );
  return rows;
}

function findPending(migrations: Migration[], history: HistoryRow[]): Migration[] {
  const failed = history.find(row => row.finished_at === null);
  if (failed) {
    throw new Error(failed.logs === null ? adviceOnUnknownEnd(failed) : adviceOnFailure(failed));
  }
  const applied = new Map(history.map(row => [row.migration_name, row.checksum]));
  const changed = migrations.find(({ name, checksum }) => applied.has(name) && applied.get(name) !== checksum);
  if (changed) {
    throw new Error(
      `The file of the migration ${changed.name} has changed since this database applied it. ` +
        'Put the file back as it was, and write the change as a new migration.',
    );
  }
  return migrations.filter(({ name }) => !applied.has(name));
}

function adviceOnFailure({ migration_name: name }: HistoryRow): string {
  return (
    `The migration ${name} failed in this database before. See its "logs" in the table _prisma_migrations, ` +
    `repair the database, then run: npx prisma migrate resolve --rolled-back ${name}`
  );
}

/** `prisma migrate`, and this module once, note the end of a migration by itself, and may be ended before they do. */
function adviceOnUnknownEnd({ migration_name: name, started_at: startedAt }: HistoryRow): string {
  return (
    `The migration ${name} began in this database at ${startedAt.toISOString()}, and nobody noted how it ended. ` +
    'If it may still be running, wait for it. Otherwise it took effect as a whole or not at all, unless it holds statements ' +
    'that PostgreSQL does not carry out in a transaction. So look whether the database has what its migration.sql makes. ' +
    `If it has, run: npx prisma migrate resolve --applied ${name}. ` +
    `If it has not, run: npx prisma migrate resolve --rolled-back ${name}. Then migrate again.`
  );
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  const { name, sql } = migration;
  try {
    await client.query('BEGIN');
    await client.query(`SELECT set_config('passerby.migration', $1, true)`, [sql]);
    // In a block, PostgreSQL itself refuses what would end the transaction, before it has ended.
    await client.query(`DO $$ BEGIN EXECUTE current_setting('passerby.migration'); END $$`);
    await note(client, migration);
    await client.query('COMMIT');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!(await rollBack(client))) {
      throw new Error(
        `The connection was lost during the migration ${name}: ${reason}. ` +
          'It has been applied and noted as a whole or not at all. Migrate again.',
        { cause: error },
      );
    }
    if (isUnfit(error)) {
      throw new Error(
        `The migration ${name} has a statement that PostgreSQL does not carry out in the middle of a transaction: ${reason}. ` +
          'Nothing of it was applied. Use this once: npx prisma migrate deploy',
        { cause: error },
      );
    }
    // Without the note, the next call would only try once more.
    await note(client, migration, reason).catch(() => undefined);
    throw new Error(`The migration ${name} failed and was rolled back: ${reason}`, { cause: error });
  }
}

/** @returns whether the connection is still there */
async function rollBack(client: pg.Client): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}

/** Whether a statement cannot run in a transaction (25001), or would begin or end one (0A000). */
function isUnfit(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  return error.code === '25001' || (error.code === '0A000' && error.message.includes('transaction commands'));
}

/** @param failure why the migration failed; left out when it did not */
async function note(client: pg.Client, { name, checksum }: Migration, failure?: string): Promise<void> {
  const finished = failure === undefined;
  await client.query(
    `INSERT INTO "_prisma_migrations" (id, checksum, migration_name, logs, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN clock_timestamp() END, $5::boolean::int)`,
    [randomUUID(), checksum, name, failure, finished],
  );
}
