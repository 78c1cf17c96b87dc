import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrismaSessionLog } from '@passerby/database';
import { connectRedis, RedisOutbox, RedisPairRegistry, RedisStatusBoard, whenReady } from '@passerby/redis';
import { pino } from 'pino';
import { type Config, ConfigError, readConfig } from './config.ts';
import { Metrics } from './metrics.ts';
import { Recorder } from './recorder.ts';
import { createStatusApp } from './status-app.ts';
import { Sweeper } from './sweeper.ts';

try {
  await run(readConfig());
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`The recorder cannot start:\n${error.message}\n`);
  process.exitCode = 1;
}

async function run(config: Config): Promise<void> {
  // An error of ioredis carries its command, and with it perhaps a password.
  const log = pino(
    { name: 'recorder', level: config.LOG_LEVEL, redact: ['err.command'] },
    pino.destination({ sync: true }),
  );
  const metrics = new Metrics();

  const lines = config.POOLS.map(pool => {
    // A connection for each pool, because reads block; they do so for less than the timeout.
    const redis = connectRedis({ url: config.REDIS_URL, role: `recorder-${pool}`, log, commandTimeoutMs: 5000 });
    const location = { prefix: config.REDIS_PREFIX, pool };
    const outbox = new RedisOutbox(redis, location);
    const registry = new RedisPairRegistry(redis, location);
    const sessionLog = new PrismaSessionLog({ databaseUrl: config.DATABASE_URL, pool });
    const sweeper = new Sweeper({ sessionLog, registry, sweepEveryMs: config.SWEEP_EVERY_MS });
    const board = new RedisStatusBoard(redis, location);
    const { BATCH_SIZE: batchSize, OUTBOX_HIGH_WATER: highWater } = config;
    const recorder = new Recorder({ pool, outbox, sessionLog, board, sweeper, batchSize, highWater, metrics, log });
    return { redis, sessionLog, recorder };
  });

  const isReady = () => lines.every(({ recorder }) => recorder.isRecording);
  const http = createServer(createStatusApp(isReady, metrics)).listen(config.PORT, config.HOST || undefined);
  try {
    await once(http, 'listening');
  } catch (error) {
    for (const { redis } of lines) redis.disconnect();
    throw new ConfigError(`Port ${config.PORT} cannot be used (${(error as Error).message}). Set PORT to another one.`);
  }
  log.info({ port: (http.address() as AddressInfo).port, pools: config.POOLS }, 'Listening.');
  for (const { redis, recorder } of lines) void whenReady(redis, 5000).then(() => recorder.start());

  const signal = await Promise.race(['SIGTERM', 'SIGINT'].map(name => once(process, name).then(() => name)));
  log.info({ signal }, 'Stopping: recording what waits.');
  await Promise.all(lines.map(({ recorder }) => recorder.stop()));
  for (const { redis } of lines) redis.disconnect();
  await Promise.all(lines.map(({ sessionLog }) => sessionLog.close()));
  http.closeAllConnections();
  http.close();
  log.info('Stopped.');
}
