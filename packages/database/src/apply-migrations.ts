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
  finished_at: Date | null;
}

/**
 * Brings a database to the present schema and answers the names of the migrations that it applied, in order; none when
 * there was nothing to do. Does what `prisma migrate deploy` does and notes it in the same way, without Prisma's schema
 * engine. Safe to run from several places at once: one works, the others wait and find nothing to do.
 *
 * Rejects, before it changes any of your tables, when an earlier migration failed or the file of an applied one has changed. A migration
 * that fails is rolled back, noted as failed, and stops the rest.
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
    `SELECT migration_name, checksum, finished_at FROM "_prisma_migrations" WHERE rolled_back_at IS NULL`,
  );
  return rows;
}

function findPending(migrations: Migration[], history: HistoryRow[]): Migration[] {
  const failed = history.find(row => row.finished_at === null);
  if (failed) {
    throw new Error(
      `The migration ${failed.migration_name} failed in this database before. See its "logs" in the table _prisma_migrations, ` +
        `repair the database, then run: npx prisma migrate resolve --rolled-back ${failed.migration_name}`,
    );
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

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  const id = randomUUID();
  await client.query(
    `INSERT INTO "_prisma_migrations" (id, checksum, started_at, migration_name) VALUES ($1, $2, now(), $3)`,
    [id, checksum, name],
  );
  try {
    // Several statements in one query without parameters: PostgreSQL runs them as one transaction.
    await client.query(sql);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await client.query('UPDATE "_prisma_migrations" SET logs = $2 WHERE id = $1', [id, reason]);
    throw new Error(`The migration ${name} failed and was rolled back: ${reason}`, { cause: error });
  }
  await client.query(
    'UPDATE "_prisma_migrations" SET applied_steps_count = applied_steps_count + 1, finished_at = clock_timestamp() WHERE id = $1',
    [id],
  );
}
