import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ServerSample } from '../src/load-report.ts';
import { ServerUsage } from '../src/server-usage.ts';

/** Listens, tells its port, and then burns as much CPU time and holds as much memory as it is told. */
const program = `
const held = [];
const server = require('node:net').createServer().listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('message', ({ cpuMs, bytes }) => {
  held.push(Buffer.alloc(bytes, 1));
  const from = process.cpuUsage();
  const used = () => { const { user, system } = process.cpuUsage(from); return (user + system) / 1000; };
  while (used() < cpuMs);
  process.send('done');
});
process.on('disconnect', () => process.exit());
`;

const scripts = ['small.cjs', 'chat-node/dist/main.js', 'recorder/dist/main.js'];

describe('ServerUsage', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'server-usage-'));
    for (const script of scripts) {
      await mkdir(dirname(join(folder, script)), { recursive: true });
      await writeFile(join(folder, script), program);
    }
  });

  afterEach(async () => {
    await Promise.all(
      children.splice(0).map(async child => {
        const ended = once(child, 'exit');
        child.disconnect();
        await ended;
      }),
    );
  });

  afterAll(() => rm(folder, { recursive: true }));

  async function startServer(script = 'small.cjs'): Promise<{ child: ChildProcess; target: string }> {
    const child = fork(join(folder, script));
    children.push(child);
    const [port] = await once(child, 'message');
    return { child, target: `http://127.0.0.1:${port}` };
  }

  async function kill(child: ChildProcess): Promise<void> {
    children.splice(children.indexOf(child), 1);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The Redis and PostgreSQL of the tests may have been started by the same process, and are seen then too. */
  function sampleOwn(usage: ServerUsage): ServerSample[] {
    return usage.sample().filter(({ name }) => !/Redis|PostgreSQL/.test(name));
  }

  it('sees what a process behind a target uses, and only of that one', async () => {
    const { child, target } = await startServer();
    await startServer();
    const usage = await ServerUsage.of([target]);
    const from = performance.now();
    const before = sampleOwn(usage);
    child.send({ cpuMs: 300, bytes: 50e6 });
    await once(child, 'message');
    const [after, ...others] = sampleOwn(usage);
    expect(before).toEqual([expect.objectContaining({ name: 'small' })]);
    expect(others).toEqual([]);
    // The clock of the kernel ticks each 10 ms, and there are two edges.
    expect((after?.cpu ?? 0) * (performance.now() - from)).toBeGreaterThanOrEqual(280);
    expect((after?.rssBytes ?? 0) - (before[0]?.rssBytes ?? 0)).toBeGreaterThan(45e6);
  });

  it('keeps the names of several of the same kind apart', async () => {
    const targets = [(await startServer()).target, (await startServer()).target];
    const usage = await ServerUsage.of(targets);
    expect(sampleOwn(usage).map(({ name }) => name)).toEqual(['small', 'small 2']);
    expect(sampleOwn(usage).map(({ name }) => name)).toEqual(['small', 'small 2']);
  });

  it('sees the parts of a cluster behind one of them, and knows a restarted one by its old name', async () => {
    const [one] = [await startServer('chat-node/dist/main.js'), await startServer('recorder/dist/main.js')];
    const { target } = await startServer('chat-node/dist/main.js');
    const usage = await ServerUsage.of([target]);
    const names = () => sampleOwn(usage).map(({ name }) => name);
    expect(names()).toEqual(['chat node 1', 'recorder', 'chat node 2']);
    await kill(one.child);
    expect(names()).toEqual(['recorder', 'chat node 2']);
    await startServer('chat-node/dist/main.js');
    expect(names()).toEqual(['recorder', 'chat node 2', 'chat node 1']);
  });

  it('knows nothing of servers elsewhere, or of what is no address', async () => {
    const { target } = await startServer();
    const elsewhere = `http://192.0.2.1:${new URL(target).port}`;
    expect((await ServerUsage.of([elsewhere, 'nonsense', 'http://127.0.0.1:1'])).sample()).toEqual([]);
  });

  it('tells nothing more of a server that has ended', async () => {
    const { child, target } = await startServer();
    const usage = await ServerUsage.of([target]);
    expect(sampleOwn(usage)).toHaveLength(1);
    await kill(child);
    expect(sampleOwn(usage)).toEqual([]);
  });
});
