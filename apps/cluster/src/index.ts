export { type FindRedisOptions, findRedis } from './find-redis.ts';
export { PostgresServer, type PostgresServerOptions } from './postgres-server.ts';
export { RedisServer, type RedisServerOptions } from './redis-server.ts';
