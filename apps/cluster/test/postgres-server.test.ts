import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresServer } from '../src/postgres-server.ts';
import { temporaryDir } from './temporary-dir.ts';

const servers: PostgresServer[] = [];

async function start(dir: string, fast = true): Promise<PostgresServer> {
  const server = await PostgresServer.start({ dir, fast });
  servers.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('PostgresServer', () => {
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  it('has its database, in UTF-8, behind a password that only its owner can read', async () => {
    const dir = await temporaryDir();
    const postgres = await start(dir);
    await expect(query(postgres.url, 'SELECT current_database() AS name')).resolves.toEqual([{ name: 'passerby' }]);
    await expect(query(postgres.url, 'SHOW server_encoding')).resolves.toEqual([{ server_encoding: 'UTF8' }]);
    expect((await stat(postgres.passwordFile)).mode & 0o777).toBe(0o600);
    const { password } = new URL(postgres.url);
    expect((await readFile(postgres.passwordFile, 'utf8')).trim()).toBe(password);
    expect(password.length).toBeGreaterThan(20);
    await expect(query(postgres.url.replace(password, 'guess'), 'SELECT 1')).rejects.toThrow('password');
    await expect(query(postgres.url.replace(`:${password}`, ''), 'SELECT 1')).rejects.toThrow();
  });

  it('keeps its data and its password', async () => {
    const dir = await temporaryDir();
    const first = await start(dir);
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    await first.stop();
    await first.stop();
    await expect(query(first.url, 'SELECT 1')).rejects.toThrow();
    const second = await start(dir);
    await expect(query(second.url, 'SELECT * FROM kept')).resolves.toEqual([{ one: 1 }]);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
  });

  it('starts after an interrupted first start', async () => {
    const dir = await temporaryDir();
    await mkdir(join(dir, 'data.new/base'), { recursive: true });
    await writeFile(join(dir, 'password'), '');
    const postgres = await start(dir);
    await expect(query(postgres.url, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('starts after it was killed, even if another program has its process number now', async () => {
    const dir = await temporaryDir();
    const killed = await start(dir, false);
    await query(killed.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    const pidFile = join(dir, 'data/postmaster.pid');
    killed.process.kill();
    await killed.process.ended;
    const bystander = await processOf(await stat(pidFile));
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await writeFile(pidFile, [bystander.pid, ...lines.slice(1)].join('\n'));
    const postgres = await start(dir).finally(() => bystander.kill());
    await expect(query(postgres.url, 'SELECT * FROM kept')).resolves.toEqual([{ one: 1 }]);
  });

  it('says what to do when the password is lost', async () => {
    const dir = await temporaryDir();
    await (await start(dir)).stop();
    await rm(join(dir, 'password'));
    await expect(start(dir)).rejects.toThrow(/password of the database should be in .*password, but is not/);
    await writeFile(join(dir, 'password'), 'another');
    await expect(start(dir)).rejects.toThrow('PostgreSQL does not accept the password in');
  });
});

/** Any program of this user. */
async function processOf({ uid, gid }: { uid: number; gid: number }): Promise<ChildProcess> {
  const child = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' });
  await once(child, 'spawn');
  return child;
}
