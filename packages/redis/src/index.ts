export type { PoolLocation } from './keys.ts';
export { connectRedis, endsWhenSilent, noticeSilence, reconnectDelayMs, whenReady } from './redis-connection.ts';
export { RedisNodeBus } from './redis-node-bus.ts';
export { RedisOutbox } from './redis-outbox.ts';
export { RedisPairStore } from './redis-pair-store.ts';
export { RedisSessionRegistry } from './redis-session-registry.ts';
