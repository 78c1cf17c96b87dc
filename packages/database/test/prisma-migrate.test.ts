import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { applyMigrations } from '@passerby/database';
import { createTemporaryDatabase, type TemporaryDatabase } from './temporary-database.ts';

const root = join(__dirname, '../../..');
const databases: TemporaryDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map(database => database.drop()));
});

async function emptyDatabase(): Promise<TemporaryDatabase> {
  const database = await createTemporaryDatabase();
  databases.push(database);
  return database;
}

/** The real command line of Prisma. Answers what it printed; rejects when it fails. */
async function prismaMigrate(databaseUrl: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['node_modules/prisma/build/index.js', 'migrate', ...args],
    {
      cwd: root,
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        CHECKPOINT_DISABLE: '1',
        PRISMA_SCHEMA_ENGINE_BINARY: join(__dirname, 'schema-engine.mjs'),
      },
    },
  );
  return stdout;
}

/** All that the two must agree on: the columns of the history table, and its rows without ids and times. */
async function describeHistory(database: TemporaryDatabase) {
  const columns = await database.query(
    `SELECT column_name, ordinal_position, data_type, character_maximum_length, is_nullable, column_default
     FROM information_schema.columns WHERE table_name = '_prisma_migrations' ORDER BY ordinal_position`,
  );
  const rows = await database.query(
    `SELECT migration_name, checksum, logs, rolled_back_at, applied_steps_count, finished_at >= started_at AS finished,
     length(id) AS id_length FROM _prisma_migrations ORDER BY migration_name`,
  );
  return { columns, rows };
}

/** Columns and indexes of all our tables. */
async function describeSchema(database: TemporaryDatabase) {
  const columns = await database.query(
    `SELECT table_name, column_name, udt_name, datetime_precision, is_nullable, column_default
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations' ORDER BY 1, 2`,
  );
  const indexes = await database.query(
    `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY 1`,
  );
  return { columns, indexes };
}

describe('applyMigrations and prisma migrate', () => {
  it('leave the same history', async () => {
    const [ours, theirs] = [await emptyDatabase(), await emptyDatabase()];
    await applyMigrations(ours.url);
    expect(await prismaMigrate(theirs.url, 'deploy')).toContain('successfully applied');

    expect(await describeHistory(ours)).toEqual(await describeHistory(theirs));
  });

  it('make the schema of schema.prisma', async () => {
    const [ours, wanted] = [await emptyDatabase(), await emptyDatabase()];
    await applyMigrations(ours.url);
    const script = ['diff', '--from-empty', '--to-schema', 'prisma/schema.prisma', '--script'];
    await wanted.query(await prismaMigrate(wanted.url, ...script));
    expect(await describeSchema(ours)).toEqual(await describeSchema(wanted));
  });

  it('find nothing to do after each other', async () => {
    const [ours, theirs] = [await emptyDatabase(), await emptyDatabase()];
    await applyMigrations(ours.url);
    expect(await prismaMigrate(ours.url, 'status')).toContain('Database schema is up to date!');
    expect(await prismaMigrate(ours.url, 'deploy')).toContain('No pending migrations to apply');

    await prismaMigrate(theirs.url, 'deploy');
    expect(await applyMigrations(theirs.url)).toEqual([]);
  });

  it('agree that a migration failed', async () => {
    const database = await emptyDatabase();
    const dir = await mkdtemp(join(tmpdir(), 'migrations-'));
    try {
      await mkdir(join(dir, '1_bad'));
      await writeFile(join(dir, '1_bad/migration.sql'), 'SELECT nonsense');
      await expect(applyMigrations(database.url, dir)).rejects.toThrow('1_bad');
    } finally {
      await rm(dir, { recursive: true });
    }
    await expect(prismaMigrate(database.url, 'deploy')).rejects.toMatchObject({
      stderr: expect.stringContaining('P3009'),
    });
    await expect(applyMigrations(database.url)).rejects.toThrow('1_bad');
  });
});
