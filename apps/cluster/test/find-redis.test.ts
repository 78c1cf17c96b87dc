import { chmod, mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedis } from '../src/find-redis.ts';
import { temporaryDir } from './temporary-dir.ts';

async function program(file: string, script: string): Promise<string> {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

const server = (name: string, version: string) => `echo "${name} server v=${version} sha=00000000:0 bits=64"`;

/** A folder with an apt-get and a dpkg-deb that know packages of these versions, and only those; they log their use. */
async function fakeDebian(dir: string, versions: Record<string, string>): Promise<string> {
  const bin = join(dir, 'debian');
  const cases = Object.entries(versions).map(
    ([name, version]) => `*simulate*" ${name} "*) echo "Inst ${name} (5:${version}-1 Debian:13 [amd64])"
      echo "Inst libfoo1 [1.0-1] (1.2-3 Debian:13 [amd64])"; echo "Inst libc6 (2.99 Debian:13 [amd64])";;`,
  );
  await program(
    join(bin, 'apt-get'),
    `echo "apt-get $*" >> ${dir}/log
    case " $* " in
      ${cases.join('\n')}
      *simulate*) echo "E: Unable to locate package" >&2; exit 100;;
      *" download "*) shift 4; for each in "$@"; do echo "$each" > "$each.deb"; done;;
    esac`,
  );
  await program(
    join(bin, 'dpkg-deb'),
    `[ "$1" = --extract ] || exit 0
    /bin/mkdir -p "$3/usr/bin" "$3/usr/lib"
    case "$2" in
      */redis-server=*|*/valkey-server=*)
        name=\${2##*/}; name=\${name%%=*}
        printf '#!/bin/sh\\necho "Server v=8.0.1 $LD_LIBRARY_PATH"\\n' > "$3/usr/bin/$name"; /bin/chmod 755 "$3/usr/bin/$name";;
      *) echo > "$3/usr/lib/libfoo.so.1";;
    esac`,
  );
  await symlink('/usr/bin/setpriv', join(bin, 'setpriv')).catch(() => {});
  return bin;
}

describe('findRedis on the PATH', () => {
  it('takes a redis-server of version 7', async () => {
    const dir = await temporaryDir();
    const path = await program(join(dir, 'b/redis-server'), server('Redis', '7.0.15'));
    await expect(findRedis({ path: `${dir}/a:${dir}/b`, cacheDir: dir })).resolves.toEqual({ path, env: {} });
  });

  it('takes a valkey-server, and passes over what is too old or does not run', async () => {
    const dir = await temporaryDir();
    await program(join(dir, 'a/redis-server'), server('Redis', '6.2.1'));
    await program(join(dir, 'b/redis-server'), 'exit 127');
    const path = await program(join(dir, 'c/valkey-server'), server('Valkey', '8.1.3'));
    const found = await findRedis({ path: `${dir}/a:${dir}/b:${dir}/c`, cacheDir: dir });
    expect(found.path).toBe(path);
  });

  it('says what it found, and three ways to get another one', async () => {
    const dir = await temporaryDir();
    await program(join(dir, 'a/redis-server'), server('Redis', '6.2.1'));
    const failure = findRedis({ path: `${dir}/a`, cacheDir: join(dir, 'cache') });
    await expect(failure).rejects.toThrow(/a\/redis-server is version 6\.2\.1, which is too old/);
    await expect(failure).rejects.toThrow(/not Debian or Ubuntu/);
    await expect(failure).rejects.toThrow(/1\. Install it.*2\. .*REDIS_URL=.*3\. .*docker run/s);
  });
});

describe('findRedis from the package of the system', () => {
  it('unpacks it with its libraries, once, and leaves the C library out', async () => {
    const dir = await temporaryDir();
    const cacheDir = join(dir, 'cache');
    const path = await fakeDebian(dir, { 'redis-server': '7.0.15' });
    const onProgress = jest.fn();
    const found = await findRedis({ path, cacheDir, onProgress });
    const root = join(cacheDir, 'unpacked/usr');
    expect(found).toEqual({ path: join(root, 'bin/redis-server'), env: { LD_LIBRARY_PATH: join(root, 'lib') } });
    expect(await readdir(cacheDir)).toEqual(['unpacked']);
    expect(onProgress).toHaveBeenCalledTimes(1);

    await expect(findRedis({ path: '', cacheDir, onProgress })).resolves.toEqual(found);
    expect(onProgress).toHaveBeenCalledTimes(1);
  });

  it('asks apt-get for the versions of the plan, and with folders of its own only', async () => {
    const dir = await temporaryDir();
    await findRedis({ path: await fakeDebian(dir, { 'redis-server': '7.0.15' }), cacheDir: join(dir, 'cache') });
    const log = (await import('node:fs')).readFileSync(join(dir, 'log'), 'utf8').split('\n');
    expect(log.filter(line => line.includes(' download '))).toEqual([
      expect.stringMatching(/ -c \S*cache\/work-\S+\/apt\.conf download redis-server=5:7\.0\.15-1 libfoo1=1\.2-3$/),
    ]);
    expect(log.slice(1, -1).every(line => line.includes('/apt.conf '))).toBe(true);
  });

  it('takes Valkey where Redis is too old', async () => {
    const dir = await temporaryDir();
    const path = await fakeDebian(dir, { 'redis-server': '6.0.16', 'valkey-server': '7.2.5' });
    const found = await findRedis({ path, cacheDir: join(dir, 'cache') });
    expect(found.path).toMatch(/unpacked\/usr\/bin\/valkey-server$/);
  });

  it('says why when there is neither', async () => {
    const dir = await temporaryDir();
    const path = await fakeDebian(dir, { 'redis-server': '6.0.16' });
    const failure = findRedis({ path, cacheDir: join(dir, 'cache') });
    await expect(failure).rejects.toThrow(/redis-server of this system is version 5:6\.0\.16-1, which is too old/);
    await expect(failure).rejects.toThrow(/E: Unable to locate package/);
    expect(await readdir(join(dir, 'cache'))).toEqual([]);
  });

  it('recovers from what an interrupted run left, and from a broken cache', async () => {
    const dir = await temporaryDir();
    const cacheDir = join(dir, 'cache');
    await mkdir(join(cacheDir, 'work-old/state'), { recursive: true });
    await utimes(join(cacheDir, 'work-old'), 0, 0);
    await mkdir(join(cacheDir, 'work-another-run'));
    await program(join(cacheDir, 'unpacked/usr/bin/redis-server'), 'exit 127');
    const path = await fakeDebian(dir, { 'redis-server': '7.0.15' });
    await findRedis({ path, cacheDir });
    expect(await readdir(cacheDir)).toEqual(['unpacked', 'work-another-run']);
  });

  it('can be done twice at the same time', async () => {
    const dir = await temporaryDir();
    const path = await fakeDebian(dir, { 'redis-server': '7.0.15' });
    const found = await Promise.all([1, 2, 3].map(() => findRedis({ path, cacheDir: join(dir, 'cache') })));
    expect(new Set(found.map(binary => binary.path)).size).toBe(1);
    expect(await readdir(join(dir, 'cache'))).toEqual(['unpacked']);
  });
});
