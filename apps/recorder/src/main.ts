import { once } from 'node:events';
import { PrismaSessionLog } from '@passerby/database';
import { RedisOutbox, whenReady } from '@passerby/redis';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { type Config, readConfig } from './config.ts';
import { Metrics } from './metrics.ts';
import { Recorder } from './recorder.ts';
import { statusApp } from './status-app.ts';

let config: Config;
try {
  config = readConfig();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const logger = pino({ level: config.logLevel, name: 'recorder' });
const metrics = new Metrics();
const sessionLog = new PrismaSessionLog(config.databaseUrl);

const lines = config.pools.map(pool => {
  // A connection of its own, because reads block. Its commands fail at once when it is down, and within the socket's
  // timeout when it is silent: the recorder tries again, and tells.
  const redis = new Redis(config.redisUrl, {
    connectionName: 'passerby-recorder',
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    socketTimeout: 5_000,
  });
  redis.on('error', error => logger.debug({ pool, err: error }, 'Redis connection'));
  const outbox = new RedisOutbox(redis, { prefix: config.redisPrefix, pool });
  const recorder = new Recorder({ pool, outbox, sessionLog, batchSize: config.batchSize, metrics, logger });
  void whenReady(redis, 5_000).then(() => recorder.start());
  return { redis, recorder };
});

const isReady = () => lines.every(({ recorder }) => recorder.isRecording);
const server = statusApp(isReady, metrics).listen(config.port, error => {
  if (!error) return logger.info({ pools: config.pools, port: config.port }, 'The recorder runs');
  logger.fatal({ err: error }, `Port ${config.port} cannot be opened; set PORT to a free one`);
  process.exit(1);
});

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
logger.info('Stopping: recording what waits');
await Promise.all(lines.map(({ recorder }) => recorder.stop()));
for (const { redis } of lines) redis.disconnect();
await sessionLog.close();
server.closeAllConnections();
server.close();
logger.info('Stopped');
process.exit(0);
