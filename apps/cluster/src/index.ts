export { isReady } from './app-process.ts';
export { type FindRedisOptions, findRedis } from './find-redis.ts';
export { PostgresServer, type PostgresServerOptions } from './postgres-server.ts';
export { descendants, signalTree } from './process-tree.ts';
export type { RedisBinary } from './redis-binary.ts';
export { RedisServer, type RedisServerOptions } from './redis-server.ts';
export { ServerProcess, type ServerProcessOptions } from './server-process.ts';
