export type { PoolLocation } from './keys.ts';
export { connectRedis, endsWhenSilent, noticeSilence, reconnectDelayMs, whenReady } from './redis-connection.ts';
export { RedisNodeBus } from './redis-node-bus.ts';
export { RedisOutbox } from './redis-outbox.ts';
export { RedisPairRegistry } from './redis-pair-registry.ts';
export { RedisPairStore } from './redis-pair-store.ts';
export { RedisStatusBoard } from './redis-status-board.ts';
export { TurnBatch } from './turn-batch.ts';
