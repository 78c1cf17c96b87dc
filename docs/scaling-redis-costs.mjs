// What docs/scaling-measure.mjs and docs/scaling-measure-messages.mjs share: a Redis of their own, and what it spends on things.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { RedisServer } from '../apps/cluster/dist/index.js';
import { connectRedis, whenReady } from '../packages/redis/dist/index.js';

export const rounds = Number(process.env.ROUNDS ?? 5);
export const location = { prefix: 'passerby', pool: 'lobby' };
export const log = { info() {}, warn() {} };

export async function connect(url, role) {
  const redis = connectRedis({ url, role, log });
  await whenReady(redis, 10_000);
  return redis;
}

export async function readInfo(redis) {
  const text = await redis.info('all');
  const figure = name => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    cpuUs: (figure('used_cpu_user_main_thread') + figure('used_cpu_sys_main_thread')) * 1e6,
    memory: figure('used_memory'),
    netIn: figure('total_net_input_bytes'),
    netOut: figure('total_net_output_bytes'),
    reads: figure('total_reads_processed'),
    writes: figure('total_writes_processed'),
  };
}

/** What Redis spends on each of some operations while they are done. */
export async function costOf(redis, count, work) {
  const before = await readInfo(redis);
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await readInfo(redis);
  const each = name => (after[name] - before[name]) / count;
  return {
    ...{ cpuUs: each('cpuUs'), netIn: each('netIn'), netOut: each('netOut') },
    ...{ reads: each('reads'), writes: each('writes') },
    busy: (after.cpuUs - before.cpuUs) / 1e6 / seconds,
  };
}

/** Median (minimum–maximum). */
export function spread(values, digits = 1) {
  const sorted = values.toSorted((a, b) => a - b);
  const [median, min, max] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map(value => value.toFixed(digits));
  return `${median} (${min}–${max})`;
}

/** Starts a Redis for some work with its address and a folder, and ends this process when the work is done. */
export async function withRedis(work) {
  const dir = await mkdtemp(join(os.tmpdir(), 'passerby-measure-'));
  const server = await RedisServer.start({ dir: join(dir, 'redis'), persistent: process.env.PERSISTENT === 'yes' });
  try {
    const probe = await connect(server.url, 'probe');
    const version = /redis_version:(\S+)/.exec(await probe.info('server'))[1];
    probe.disconnect();
    console.log(`${os.cpus().length} × ${os.cpus()[0].model}, Node ${process.version}, Redis ${version}\n`);
    await work(server.url, dir);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await server.stop();
    await rm(dir, { recursive: true });
    process.exit();
  }
}
