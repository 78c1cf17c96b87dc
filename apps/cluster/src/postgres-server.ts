import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import getPort from 'get-port';
import pg from 'pg';
import { type PostgresPrograms, postgresPrograms } from './postgres-programs.ts';
import { previousProcess } from './previous-process.ts';
import { ServerProcess, type UserAndGroup } from './server-process.ts';

const run = promisify(execFile);
const readyWithinMs = 60_000;
/** Of the database and of its owner. */
const databaseName = 'passerby';

export interface PostgresServerOptions {
  /** Folder for its data, its password and its log; made if missing, and left in place when the server stops. */
  readonly dir: string;
  /** A free one is chosen if not given. */
  readonly port?: number;
  /** Nothing waits for the disk: for data that may be lost when the server is killed. Default: false. */
  readonly fast?: boolean;
  /** Default: `postgres.log` in `dir`. */
  readonly logFile?: string;
}

/**
 * A real PostgreSQL of our own with a database `passerby`, reachable only from this machine and with the password that
 * was made at its first start, which ends when this process ends. The programs come from npm.
 */
export class PostgresServer {
  /** Complete, with the password. */
  readonly url: string;
  readonly port: number;
  /** Holds the password; only its owner can read it. */
  readonly passwordFile: string;
  readonly process: ServerProcess;

  private constructor(port: number, password: string, passwordFile: string, process: ServerProcess) {
    this.url = `postgresql://${databaseName}:${password}@127.0.0.1:${port}/${databaseName}`;
    this.port = port;
    this.passwordFile = passwordFile;
    this.process = process;
  }

  /**
   * Starts a server, after making its data folder if there is none, and waits until it answers.
   * @throws Error that says what went wrong and what to do.
   */
  static async start(options: PostgresServerOptions): Promise<PostgresServer> {
    const { dir, fast = false, logFile = join(dir, 'postgres.log') } = options;
    const programs = await postgresPrograms();
    const dataDir = join(dir, 'data');
    const passwordFile = join(dir, 'password');
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const owner = await ownerOf(dataDir);
    const runAs = await userToRunAs(owner, dataDir);
    const password = await passwordFrom(passwordFile, { mayMake: owner === undefined });
    if (owner === undefined) await initialise({ programs, dataDir, passwordFile, runAs, fast, logFile });

    const stalePid = await previousProcess({ name: 'PostgreSQL', pidFile: join(dataDir, 'postmaster.pid'), dir });
    const port = options.port ?? (await getPort({ host: '127.0.0.1' }));
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '', // The path of a socket has a length limit, and nobody needs one here.
      ...(fast && { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    };
    const server = new ServerProcess({
      name: 'PostgreSQL',
      command: programs.postgres,
      args: ['-D', dataDir, '-p', String(port), ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
      // PostgreSQL refuses to start while any process of its user has the number in its old pid file, unless told so.
      env: { ...process.env, LC_ALL: 'C', ...(stalePid && { PG_GRANDPARENT_PID: String(stalePid) }) },
      logFile,
      stopSignal: 'SIGINT', // "Fast": ends the connections, rolls back what is open, writes everything down.
      stopTimeoutMs: 20_000,
      runAs,
    });
    const postgres = new PostgresServer(port, password, passwordFile, server);
    await server.untilReady(() => hasDatabase(postgres), readyWithinMs);
    return postgres;
  }

  /** Stops the server in good order; what was committed is on disk when this returns. */
  async stop(): Promise<void> {
    await this.process.stop();
  }
}

/** Who owns the data folder; undefined if there is none yet. */
async function ownerOf(dataDir: string): Promise<UserAndGroup | undefined> {
  return stat(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** PostgreSQL refuses to run as root, and with data of another user: root becomes that user, or `nobody`. */
async function userToRunAs(owner: UserAndGroup | undefined, dataDir: string): Promise<UserAndGroup | undefined> {
  const uid = process.getuid?.();
  if (uid !== 0) {
    if (owner === undefined || owner.uid === uid) return undefined;
    throw new Error(`${dataDir} belongs to another user (${owner.uid}). Start as that user or as root, or remove it.`);
  }
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const [user, group] = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])]);
  const nobody = { uid: Number(user.stdout), gid: Number(group.stdout) };
  if (owner !== undefined) await run('chown', ['-R', `${nobody.uid}:${nobody.gid}`, dataDir]);
  return nobody;
}

async function passwordFrom(file: string, { mayMake }: { mayMake: boolean }): Promise<string> {
  const known = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (known !== '') return known;
  if (!mayMake) {
    throw new Error(
      `The password of the database should be in ${file}, but is not. Put it there, or remove the folder.`,
    );
  }
  const password = randomBytes(18).toString('base64url');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

interface Initialisation {
  readonly programs: PostgresPrograms;
  readonly dataDir: string;
  readonly passwordFile: string;
  readonly runAs: UserAndGroup | undefined;
  readonly fast: boolean;
  readonly logFile: string;
}

/** Makes the data folder. It appears in one step, so that an interrupted attempt does no harm. */
async function initialise({ programs, dataDir, passwordFile, runAs, fast, logFile }: Initialisation): Promise<void> {
  const newDir = `${dataDir}.new`;
  await rm(newDir, { recursive: true, force: true });
  await mkdir(newDir, { mode: 0o700 });
  if (runAs) await chown(newDir, runAs.uid, runAs.gid);
  const initdb = new ServerProcess({
    name: 'initdb (it makes the data folder of PostgreSQL)',
    command: programs.initdb,
    args: [
      ...[`--pgdata=${newDir}`, `--username=${databaseName}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      // The same collation on every system, whatever locales it has.
      ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...(fast ? ['--no-sync'] : []),
    ],
    env: { ...process.env, LC_ALL: 'C' },
    logFile,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 5_000,
    runAs,
  });
  const { code, how } = await initdb.ended;
  if (code !== 0) throw initdb.failure(how);
  await rename(newDir, dataDir);
}

/** Whether the server answers; makes the database if it is not there yet. */
async function hasDatabase({ url, passwordFile }: PostgresServer): Promise<boolean> {
  const serverUrl = new URL(url);
  serverUrl.pathname = '/postgres';
  const client = new pg.Client({ connectionString: serverUrl.href, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {}); // A connection that breaks makes the query below fail, too.
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [databaseName]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`);
    return true;
  } catch (error) {
    const wrongPassword = (error as { code?: string }).code === '28P01';
    if (wrongPassword) throw new Error(`PostgreSQL does not accept the password in ${passwordFile}.`);
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
