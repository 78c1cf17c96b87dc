import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RedisBinary, redisVersion } from './redis-binary.ts';
import { withoutOrphan } from './server-process.ts';

const run = promisify(execFile);

/** In order of preference: the package of the server, and the one that its files are shared with. */
const packagePairs = [
  ['redis-server', 'redis-tools'],
  ['valkey-server', 'valkey-tools'],
] as const;

/** The system's own C library must stay the one that its own loader expects. */
const neverUnpacked = new Set(['libc6', 'libc-bin']);

const abandonedAfterMs = 3_600_000;

export interface UnpackRedisOptions {
  /** The unpacked files stay here for the next time. */
  readonly cacheDir: string;
  readonly oldestMajor: number;
  /** Where the programs of the package manager are, written as the environment variable PATH is. */
  readonly path: string;
  readonly onProgress?: ((step: string) => void) | undefined;
}

/**
 * Unpacks the Redis (or Valkey) package of this Debian or Ubuntu, with the libraries that it needs and the system does
 * not have, into a folder. Needs no root, and neither changes the system nor uses its package lists. What an
 * interrupted or simultaneous run leaves does no harm: the result appears in one step.
 * @throws Error that says why it cannot be had in this way.
 */
export async function unpackRedis({
  cacheDir,
  oldestMajor,
  path,
  onProgress,
}: UnpackRedisOptions): Promise<RedisBinary> {
  const result = join(cacheDir, 'unpacked');
  const cached = await binaryIn(result, oldestMajor);
  if (cached) return cached;
  const call = caller(path);
  for (const tool of ['apt-get', 'dpkg-deb']) {
    await call(tool, ['--version']).catch(() => {
      throw new Error(`There is no package to unpack either: this is not Debian or Ubuntu (${tool} does not run).`);
    });
  }
  onProgress?.('Redis is not installed here: downloading the package of this system into .cache/redis');
  await mkdir(cacheDir, { recursive: true });
  await removeAbandoned(cacheDir);
  const workDir = await mkdtemp(join(cacheDir, 'work-'));
  try {
    const unpacked = await unpackFirst(packagePairs, { workDir, oldestMajor, call });
    if (!(await binaryIn(unpacked, oldestMajor))) throw new Error('The unpacked package does not run on this system.');
    if (!(await binaryIn(result, oldestMajor))) {
      await rm(result, { recursive: true, force: true });
      // Another run may have put its own there a moment ago. It is as good.
      await rename(unpacked, result).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    }
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  const binary = await binaryIn(result, oldestMajor);
  if (!binary) throw new Error(`What was unpacked into ${result} has gone again. Try again.`);
  return binary;
}

/** Runs a program to its end and answers what it wrote. */
type Call = (command: string, args: readonly string[], cwd?: string) => Promise<string>;

function caller(path: string): Call {
  const env = { ...process.env, PATH: path, LC_ALL: 'C' };
  return (command, args, cwd) =>
    run(...withoutOrphan(command, args), { cwd, env, maxBuffer: 2 ** 26 }).then(({ stdout }) => stdout);
}

interface Attempt {
  readonly workDir: string;
  readonly oldestMajor: number;
  readonly call: Call;
}

/** Unpacks the first of these packages that can be had, and answers the folder where it is now. */
async function unpackFirst(packages: readonly (readonly string[])[], attempt: Attempt): Promise<string> {
  const { workDir, call } = attempt;
  const config = join(workDir, 'apt.conf');
  await writeFile(config, aptConfig(workDir));
  await mkdir(join(workDir, 'state/lists/partial'), { recursive: true });
  await mkdir(join(workDir, 'cache/archives/partial'), { recursive: true });
  const apt = (args: readonly string[], cwd?: string) => call('apt-get', ['-q', '-c', config, ...args], cwd);

  const failures: string[] = [];
  // A failure here may be about a source of packages that we do not need.
  await apt(['update']).catch(error => failures.push(reason(error)));
  for (const names of packages) {
    try {
      return await unpack(names, { ...attempt, apt });
    } catch (error) {
      failures.push(reason(error));
    }
  }
  throw new Error(['The package of this system could not be unpacked:', ...failures].join('\n'));
}

async function unpack(
  names: readonly string[],
  { workDir, oldestMajor, call, apt }: Attempt & { apt: (args: readonly string[], cwd?: string) => Promise<string> },
): Promise<string> {
  const [server = ''] = names;
  // Named as reinstalled, so that a package counts even if the system believes to have it.
  const plan = await apt(['install', '--simulate', '--reinstall', '--no-install-recommends', ...names]);
  const versions = new Map(
    [...plan.matchAll(/^Inst (\S+) (?:\[.*?\] )?\((\S+)/gm)].map(([, name = '', version = '']) => [name, version]),
  );
  const version = versions.get(server) ?? 'unknown';
  const major = Number.parseInt(version.replace(/^\d+:/, ''), 10);
  if (!(major >= oldestMajor)) throw new Error(`${server} of this system is version ${version}, which is too old.`);

  const debs = join(workDir, `${server}-debs`);
  const root = join(workDir, server);
  await mkdir(debs);
  const wanted = [...versions].filter(([name]) => !neverUnpacked.has(name));
  await apt(['download', ...wanted.map(([name, version]) => `${name}=${version}`)], debs);
  for (const file of await readdir(debs)) await call('dpkg-deb', ['--extract', join(debs, file), root]);
  return root;
}

/** Everything apt writes goes to `workDir`; the hooks of the system, which would change it, do not run. */
function aptConfig(workDir: string): string {
  return `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "${workDir}/state";
Dir::State::lists "${workDir}/state/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${workDir}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
`;
}

async function binaryIn(root: string, oldestMajor: number): Promise<RedisBinary | undefined> {
  const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const server = ['redis-server', 'valkey-server'].find(name =>
    files.some(file => file.name === name && file.parentPath === join(root, 'usr/bin')),
  );
  if (server === undefined) return undefined;
  const libraryDirs = new Set(files.filter(file => /\.so(\.|$)/.test(file.name)).map(file => file.parentPath));
  const env = libraryDirs.size === 0 ? {} : { LD_LIBRARY_PATH: [...libraryDirs].join(':') };
  const binary = { path: join(root, 'usr/bin', server), env };
  const version = await redisVersion(binary);
  return version !== undefined && version.major >= oldestMajor ? binary : undefined;
}

/** Removes what an interrupted run has left, but not what another one is working in. */
async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    const dir = join(cacheDir, name);
    const age = Date.now() - (await stat(dir).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (name.startsWith('work-') && age > abandonedAfterMs) await rm(dir, { recursive: true, force: true });
  }
}

/** Why a command failed: what it wrote about it, if anything. */
function reason(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string };
  const said = stderr?.split('\n').filter(line => line.startsWith('E: ')) ?? [];
  return said.length > 0 ? said.join('\n') : message;
}
