import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    searchPartner(...keysAndArguments: (string | number)[]): Result<string[], Context>;
    leaveChat(...keysAndArguments: (string | number)[]): Result<string[], Context>;
    reapNode(...keysAndArguments: (string | number)[]): Result<number, Context>;
    renewLease(...keysAndArguments: (string | number)[]): Result<string[], Context>;
    setAsideFact(...keysAndArguments: (string | number)[]): Result<number, Context>;
    retryFacts(...keysAndArguments: (string | number)[]): Result<number, Context>;
  }
}

/** Makes the Lua scripts commands of a connection. ioredis loads them where they are missing. */
export function defineScripts(redis: Redis): void {
  const registry = source('registry');
  redis.defineCommand('searchPartner', { numberOfKeys: 5, lua: registry + source('search-partner') });
  redis.defineCommand('leaveChat', { numberOfKeys: 5, lua: registry + source('leave-chat') });
  redis.defineCommand('reapNode', { numberOfKeys: 5, lua: registry + source('reap-node') });
  redis.defineCommand('renewLease', { numberOfKeys: 1, lua: source('renew-lease') });
  redis.defineCommand('setAsideFact', { numberOfKeys: 2, lua: source('set-aside-fact') });
  redis.defineCommand('retryFacts', { numberOfKeys: 2, lua: source('retry-facts') });
}

function source(name: string): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}
