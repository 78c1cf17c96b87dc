import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyMigrations } from '@passerby/database';
import { Client } from 'pg';
import { createTemporaryDatabase, type TemporaryDatabase } from './temporary-database.ts';

const realDir = join(__dirname, '../../../prisma/migrations');

let database: TemporaryDatabase;
let dir: string;

beforeEach(async () => {
  database = await createTemporaryDatabase();
  dir = await mkdtemp(join(tmpdir(), 'migrations-'));
});

afterEach(async () => {
  await database.drop();
  await rm(dir, { recursive: true });
});

async function writeMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(dir, name), { recursive: true });
  await writeFile(join(dir, name, 'migration.sql'), sql);
}

async function tables(): Promise<string[]> {
  const rows = await database.query<{ tablename: string }>(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  );
  return rows.map(({ tablename }) => tablename);
}

const history = () =>
  database.query<{
    migration_name: string;
    logs: string | null;
    finished_at: Date | null;
    applied_steps_count: number;
  }>('SELECT migration_name, logs, finished_at, applied_steps_count FROM _prisma_migrations ORDER BY started_at');

/** Stands before the database and cuts a connection when the client has sent so many packets; each is carried out. */
async function cutLine(afterPackets: number): Promise<{ url: string; close(): Promise<void> }> {
  const { hostname, port } = new URL(database.url);
  const server = createServer(client => {
    let packets = 0;
    const postgres = connect(Number(port), hostname);
    for (const socket of [client, postgres]) socket.on('error', () => undefined);
    client.on('close', () => postgres.end());
    postgres.on('close', () => client.destroy());
    postgres.pipe(client);
    client.on('data', data => {
      postgres.write(data);
      if (++packets === afterPackets) client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(database.url);
  Object.assign(url, { hostname: '127.0.0.1', port: String((server.address() as AddressInfo).port) });
  return { url: url.href, close: () => new Promise(resolve => server.close(() => resolve())) };
}

describe('applyMigrations', () => {
  it('makes the schema of the project, and has nothing to do the second time', async () => {
    const names = (await readdir(realDir, { withFileTypes: true })).filter(e => e.isDirectory()).map(e => e.name);
    expect(await applyMigrations(database.url)).toEqual(names.sort());
    expect(await tables()).toEqual(['ChatSession', '_prisma_migrations']);
    expect(await applyMigrations(database.url)).toEqual([]);
  });

  it('applies only what is new, in the order of the names', async () => {
    await writeMigration('1_first', 'CREATE TABLE first (id int)');
    expect(await applyMigrations(database.url, dir)).toEqual(['1_first']);
    await writeMigration('3_third', 'ALTER TABLE second ADD name text');
    await writeMigration('2_second', 'CREATE TABLE second (id int); INSERT INTO second VALUES (1)');
    expect(await applyMigrations(database.url, dir)).toEqual(['2_second', '3_third']);
    expect(await history()).toMatchObject([
      { migration_name: '1_first', applied_steps_count: 1, finished_at: expect.any(Date) },
      { migration_name: '2_second', applied_steps_count: 1, finished_at: expect.any(Date) },
      { migration_name: '3_third', applied_steps_count: 1, finished_at: expect.any(Date) },
    ]);
  });

  it('works once when several start at the same time', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => applyMigrations(database.url)));
    expect(results.filter(applied => applied.length > 0)).toHaveLength(1);
  });

  it('waits while prisma migrate holds its lock', async () => {
    const prisma = new Client({ connectionString: database.url });
    await prisma.connect();
    await prisma.query('SELECT pg_advisory_lock(72707369)');
    const applied = applyMigrations(database.url);
    const waiters = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`;
    while ((await database.query(waiters)).length === 0);
    expect(await tables()).toEqual([]);
    await prisma.end();
    expect(await applied).not.toEqual([]);
  });

  it('rolls a failing migration back, notes it, and refuses to go on until it is resolved', async () => {
    await writeMigration('1_good', 'CREATE TABLE good (id int)');
    await writeMigration('2_bad', 'CREATE TABLE half (id int); SELECT nonsense');
    await writeMigration('3_later', 'CREATE TABLE later (id int)');
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(/2_bad failed and was rolled back.*nonsense/);
    expect(await tables()).toEqual(['_prisma_migrations', 'good']);
    expect(await history()).toMatchObject([
      { migration_name: '1_good' },
      { migration_name: '2_bad', finished_at: null, applied_steps_count: 0, logs: expect.stringContaining('nonsense') },
    ]);

    await writeMigration('2_bad', 'CREATE TABLE half (id int)');
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(/2_bad failed in this database before/);
    await database.query(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '2_bad'`);
    expect(await applyMigrations(database.url, dir)).toEqual(['2_bad', '3_later']);
  });

  it('refuses a changed file before it changes anything', async () => {
    await cp(realDir, dir, { recursive: true });
    await writeMigration('1_old', 'CREATE TABLE old (id int)');
    await applyMigrations(database.url, dir);
    await writeMigration('1_old', 'CREATE TABLE old (id bigint)');
    await writeMigration('9_new', 'CREATE TABLE new (id int)');
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(/1_old has changed/);
    expect(await tables()).not.toContain('new');
  });

  it('may lose its connection at any moment, and goes on from there the next time', async () => {
    await writeMigration('1_first', 'CREATE TABLE first (id int); INSERT INTO first VALUES (1)');
    await writeMigration('2_second', 'CREATE TABLE second (id int)');
    let cuts = 0;
    for (let isCut = true; isCut; cuts++) {
      await database.query('DROP TABLE IF EXISTS first, second, _prisma_migrations');
      const line = await cutLine(cuts + 1);
      isCut = await applyMigrations(line.url, dir).then(
        () => false,
        () => true,
      );
      await applyMigrations(database.url, dir);
      await line.close();
      expect(await tables()).toEqual(['_prisma_migrations', 'first', 'second']);
      expect(await database.query('SELECT * FROM first')).toHaveLength(1);
      expect(await history()).toMatchObject([
        { migration_name: '1_first', logs: null, applied_steps_count: 1, finished_at: expect.any(Date) },
        { migration_name: '2_second', logs: null, applied_steps_count: 1, finished_at: expect.any(Date) },
      ]);
    }
    // The migrations alone take several packets each.
    expect(cuts).toBeGreaterThan(10);
  });

  it('says that nothing is half done when PostgreSQL ends in the middle of a migration, and goes on the next time', async () => {
    await database.query('CREATE TABLE deadly ()');
    const dies = `IF to_regclass('deadly') IS NOT NULL THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF`;
    await writeMigration('1_first', `CREATE TABLE first (id int); DO $$ BEGIN ${dies}; END $$`);
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(/1_first.*as a whole or not at all.*again/s);
    expect(await tables()).toEqual(['_prisma_migrations', 'deadly']);
    await database.query('DROP TABLE deadly');
    expect(await applyMigrations(database.url, dir)).toEqual(['1_first']);
  });

  it.each([
    ['cannot run in a transaction', 'CREATE INDEX CONCURRENTLY ON old (id)'],
    ['ends the transaction', 'CREATE TABLE half (id int); COMMIT; CREATE TABLE more (id int)'],
    ['undoes the transaction', 'CREATE TABLE half (id int); ROLLBACK; CREATE TABLE more (id int)'],
  ])('refuses a statement that %s, and leaves the migration to prisma migrate deploy', async (_, sql) => {
    await writeMigration('1_old', 'CREATE TABLE old (id int)');
    await writeMigration('2_other', sql);
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(/2_other.*npx prisma migrate deploy/);
    expect(await tables()).toEqual(['_prisma_migrations', 'old']);
    expect(await history()).toMatchObject([{ migration_name: '1_old' }]);
  });

  it('takes any text that PostgreSQL takes', async () => {
    await writeMigration('1_nothing', '-- nothing yet');
    await writeMigration(
      '2_quotes',
      `CREATE TABLE "a'b" (c text DEFAULT '$$;COMMIT;--'); COMMENT ON TABLE "a'b" IS E'\\''`,
    );
    await writeMigration(
      '3_blocks',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END; SELECT f();',
    );
    expect(await applyMigrations(database.url, dir)).toHaveLength(3);
    expect(await tables()).toEqual(['_prisma_migrations', "a'b"]);
  });

  it('says what to look for when nobody noted how a migration ended', async () => {
    await writeMigration('1_first', 'CREATE TABLE first (id int)');
    await applyMigrations(database.url, dir);
    // So it was left by versions that noted the end by itself.
    await database.query('UPDATE _prisma_migrations SET finished_at = NULL, applied_steps_count = 0');
    const advice = /1_first.*nobody noted how it ended.*resolve --applied 1_first.*resolve --rolled-back 1_first/s;
    await expect(applyMigrations(database.url, dir)).rejects.toThrow(advice);
    await database.query('UPDATE _prisma_migrations SET finished_at = now()');
    expect(await applyMigrations(database.url, dir)).toEqual([]);
  });
});
