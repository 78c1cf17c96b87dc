import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { requireFree } from '../src/ports.ts';
import { temporaryDir } from './temporary-dir.ts';

const main = join(__dirname, '../dist/main.js');

/** What `npm start` runs after the build, as a process of its own. */
class ClusterProcess {
  readonly child: ChildProcess;
  /** All that it has written. */
  output = '';

  constructor(env: Record<string, string>) {
    this.child = spawn(process.execPath, [main], {
      env: { PATH: process.env.PATH, PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.setMaxListeners(0);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', chunk => {
        this.output += chunk;
        this.child.emit('output');
      });
    }
  }

  /** Waits until it has written this. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      await Promise.race([once(this.child, 'output'), once(this.child, 'close')]);
      if (this.child.exitCode !== null && !pattern.test(this.output)) throw new Error(`It ended:\n${this.output}`);
    }
  }

  async exitCode(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}

const started: ClusterProcess[] = [];

function start(env: Record<string, string>): ClusterProcess {
  const cluster = new ClusterProcess(env);
  started.push(cluster);
  return cluster;
}

/** A port after which there are enough free ones. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const free = await requireFree([port, port + 1, port + 2, port + 3, port + 200, port + 201], undefined).then(
      () => true,
      () => false,
    );
    if (free) return port;
  }
}

/** The addresses and ports that a process listens on over TCP, as the kernel writes them. */
async function listenersOf(pid: number): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(fds.map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const inodes = new Set(links.flatMap(link => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const tables = await Promise.all(['tcp', 'tcp6'].map(name => readFile(`/proc/${pid}/net/${name}`, 'utf8')));
  const sockets = tables.flatMap(table => table.split('\n').slice(1, -1)).map(line => line.trim().split(/\s+/));
  const listening = sockets.filter(([, , , state, , , , , , inode = '']) => state === '0A' && inodes.has(inode));
  return listening.map(([, local = '']) => local);
}

interface Status {
  pid: number;
  parent: number;
  state: string;
}

async function processes(): Promise<Status[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.flatMap(stat => {
    const [, pid, state = '', parent] = /^(\d+) \(.*\) (\S) (\d+)/s.exec(stat) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), state }];
  });
}

/** The processes below this one, at any depth. */
async function descendants(pid: number | undefined): Promise<number[]> {
  const all = await processes();
  const found = [pid];
  for (const ancestor of found) found.push(...all.filter(({ parent }) => parent === ancestor).map(each => each.pid));
  return found.slice(1).map(Number);
}

/** Waits until these processes have ended; a process that is killed gives its own a moment. */
async function ended(pids: readonly number[]): Promise<void> {
  while ((await processes()).some(({ pid, state }) => pids.includes(pid) && state !== 'Z')) {
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Opens an Engine.IO session by polling, joins the default namespace, and answers what the server says to that. */
async function joinByPolling(url: string): Promise<string> {
  const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
  const opened = await (await fetch(endpoint)).text();
  const { sid } = JSON.parse(opened.slice(1));
  await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '40' });
  const answer = await (await fetch(`${endpoint}&sid=${sid}`)).text();
  await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '1' });
  return answer;
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm start, after the build', () => {
  afterEach(async () => {
    for (const { child } of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const below = await descendants(child.pid);
      child.kill('SIGKILL');
      await ended(below);
    }
  });

  it('runs a cluster, keeps it running, and stops it without a trace', async () => {
    const dir = join(await temporaryDir(), 'data');
    const port = await freePorts();
    const settings = { PORT: String(port), DATA_DIR: dir };
    const cluster = start(settings);
    await cluster.says(/Ctrl-C/);
    for (const part of ['public address', 'chat node 1', 'chat node 2', 'recorder', 'Redis', 'PostgreSQL']) {
      expect(cluster.output).toMatch(
        new RegExp(`^  ${part} +(http|redis|postgresql)://(localhost|127\\.0\\.0\\.1):\\d+`, 'm'),
      );
    }
    expect(await readdir(join(dir, 'logs'))).toEqual(
      expect.arrayContaining(['redis.log', 'postgres.log', 'recorder.log']),
    );

    const url = `http://localhost:${port}`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => joinByPolling(url)));
    for (const answer of answers) expect(answer).toMatch(/^40\{"sid":/);

    // In the kernel's notation: addresses and ports in hexadecimal, the bytes of an address in reverse.
    const loopback = /^(0100007F|00000000000000000000000001000000):/;
    const all = [cluster.child.pid ?? 0, ...(await descendants(cluster.child.pid))];
    const listeners = (await Promise.all(all.map(listenersOf))).flat();
    const publicPort = port.toString(16).toUpperCase().padStart(4, '0');
    expect(new Set(listeners).size).toBeGreaterThanOrEqual(6);
    expect(new Set(listeners.filter(local => !loopback.test(local)))).toEqual(
      new Set([expect.stringMatching(`^0+:${publicPort}$`)]),
    );

    const environments = await Promise.all(all.map(pid => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
    const secrets = environments.flatMap(text => /\bADDRESS_SECRET=([^\0]{16,})/.exec(text)?.[1] ?? []);
    expect(secrets).toHaveLength(2);
    expect(new Set(secrets).size).toBe(1);

    const address = /psql "(\S+)\$\(cat (\S+)\)(\S+)"/.exec(cluster.output);
    const password = (await readFile(join(dir, 'postgres/password'), 'utf8')).trim();
    const database = new pg.Client(`${address?.[1]}${password}${address?.[3]}`);
    await database.connect();
    await expect(database.query('SELECT * FROM "ChatSession"')).resolves.toMatchObject({ rows: [] });
    await database.end();

    const second = start(settings);
    await expect(second.exitCode()).resolves.toBe(1);
    expect(second.output).toMatch(/^Passerby runs already with the data in .*\. Stop that one first.*\n$/);

    const [node] = (await Promise.all((await descendants(cluster.child.pid)).map(commandOf))).filter(({ command }) =>
      command.includes('chat-node'),
    );
    process.kill(Number(node?.pid), 'SIGKILL');
    await cluster.says(/Chat node \d ended by SIGKILL\. It is started again in 1 s\.\n/);
    await expect(fetch(`${url}/readyz`)).resolves.toMatchObject({ status: 200 });
    await cluster.says(/Chat node \d runs again\.\n/);

    const below = await descendants(cluster.child.pid);
    expect(below.length).toBeGreaterThan(5);
    cluster.child.kill('SIGTERM');
    await expect(cluster.exitCode()).resolves.toBe(0);
    const left = (await processes()).filter(({ pid }) => below.includes(pid));
    expect(left).toEqual([]);
    expect(existsSync(join(dir, 'postgres/data/postmaster.pid'))).toBe(false);
  });

  it('leaves nothing running when it is killed, and starts again on the same data', async () => {
    const dir = join(await temporaryDir(), 'data');
    const settings = { PORT: String(await freePorts()), DATA_DIR: dir, NODES: '1' };
    const killed = start(settings);
    await killed.says(/Ctrl-C/);
    const below = await descendants(killed.child.pid);
    killed.child.kill('SIGKILL');
    await ended(below);

    const again = start({ ...settings, HOST: '127.0.0.2' });
    await again.says(/Ctrl-C/);
    const port = Number(settings.PORT);
    expect(again.output).toContain(`Open http://127.0.0.2:${port} in`);
    for (const url of [`http://127.0.0.2:${port}`, `http://127.0.0.1:${port + 1}`, `http://127.0.0.1:${port + 2}`]) {
      await expect(fetch(`${url}/readyz`)).resolves.toMatchObject({ status: 200 });
    }
    again.child.kill('SIGINT');
    await expect(again.exitCode()).resolves.toBe(0);
  });

  it('stops what it has started when a step fails, and says which, and why', async () => {
    const dir = join(await temporaryDir(), 'data');
    const cluster = start({ PORT: String(await freePorts()), DATA_DIR: dir, LEASE_MS: '1' });
    await cluster.says(/Starting the recorder/);
    const below = await descendants(cluster.child.pid);
    await expect(cluster.exitCode()).resolves.toBe(1);
    expect(cluster.output).toMatch(/Starting 2 chat nodes failed\.\nChat node \d ended with code 1.*LEASE_MS must be/s);
    expect(cluster.output).not.toMatch(/^ +at /m);
    await ended(below);
    expect(existsSync(join(dir, 'redis/redis.pid'))).toBe(false);
    expect(existsSync(join(dir, 'postgres/data/postmaster.pid'))).toBe(false);
  });

  it('stops while it starts', async () => {
    const cluster = start({ PORT: String(await freePorts()), DATA_DIR: join(await temporaryDir(), 'data') });
    await cluster.says(/Starting PostgreSQL/);
    cluster.child.kill('SIGTERM');
    await cluster.says(/Stopping/);
    const below = await descendants(cluster.child.pid);
    await expect(cluster.exitCode()).resolves.toBe(0);
    await ended(below);
    expect(cluster.output).not.toMatch(/failed|Error/);
  });

  it('says which port is taken, and what to do', async () => {
    const port = await freePorts();
    const holder = createServer().listen(port + 2, '127.0.0.1');
    await once(holder, 'listening');
    const cluster = start({ PORT: String(port), DATA_DIR: join(await temporaryDir(), 'data') });
    await expect(cluster.exitCode()).resolves.toBe(1);
    expect(cluster.output).toContain(`Port ${port + 2} is taken by another program`);
    expect(cluster.output).toContain('PORT=4000 npm start');
    holder.close();
  });

  it('says which of the servers it was given cannot be used', async () => {
    const settings = { PORT: String(await freePorts()), DATA_DIR: join(await temporaryDir(), 'data') };
    const withoutRedis = start({ ...settings, REDIS_URL: 'redis://:secret@127.0.0.1:1' });
    await expect(withoutRedis.exitCode()).resolves.toBe(1);
    expect(withoutRedis.output).toMatch(/The Redis at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*REDIS_URL/s);
    const withoutDatabase = start({ ...settings, DATABASE_URL: 'postgresql://u:secret@127.0.0.1:1/db' });
    await expect(withoutDatabase.exitCode()).resolves.toBe(1);
    expect(withoutDatabase.output).toMatch(
      /The database db at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED.*DATABASE_URL/s,
    );
    expect(withoutRedis.output + withoutDatabase.output).not.toContain('secret');
  });
});

async function commandOf(pid: number): Promise<{ pid: number; command: string }> {
  return { pid, command: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') };
}
