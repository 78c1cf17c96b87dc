import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';

type Arguments = (string | number)[];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    searchPartner(...keysAndArguments: Arguments): Result<string[], Context>;
    leaveChat(...keysAndArguments: Arguments): Result<string[], Context>;
    suspendUser(...keysAndArguments: Arguments): Result<string[], Context>;
    resumeUser(...keysAndArguments: Arguments): Result<[number, ...string[]] | null, Context>;
    expireAway(...keysAndArguments: Arguments): Result<number, Context>;
    syncUsers(...keysAndArguments: Arguments): Result<string[], Context>;
    disownUsers(...keysAndArguments: Arguments): Result<string[], Context>;
    reapNode(...keysAndArguments: Arguments): Result<number, Context>;
    renewLease(...keysAndArguments: Arguments): Result<[string, number, number, number, ...string[]], Context>;
  }
}

/** For what makes the data grow: when no memory is left, Redis refuses the script before it has done anything. */
const notWhenFull = '#!lua\n';
/** What makes it possible to leave a full Redis. */
const alsoWhenFull = '#!lua flags=allow-oom\n';

/** Makes the Lua scripts commands of a connection. ioredis loads them where they are missing. */
export function defineScripts(redis: Redis): void {
  const registry = source('registry');
  const onRegistry = (name: string, flags: string) => ({ numberOfKeys: 6, lua: flags + registry + source(name) });
  redis.defineCommand('searchPartner', onRegistry('search-partner', notWhenFull));
  redis.defineCommand('syncUsers', onRegistry('sync-users', alsoWhenFull));
  redis.defineCommand('leaveChat', onRegistry('leave-chat', alsoWhenFull));
  redis.defineCommand('suspendUser', onRegistry('suspend-user', alsoWhenFull));
  redis.defineCommand('resumeUser', onRegistry('resume-user', alsoWhenFull));
  redis.defineCommand('expireAway', onRegistry('expire-away', alsoWhenFull));
  redis.defineCommand('disownUsers', onRegistry('disown-users', alsoWhenFull));
  redis.defineCommand('reapNode', onRegistry('reap-node', alsoWhenFull));
  redis.defineCommand('renewLease', { numberOfKeys: 4, lua: alsoWhenFull + source('renew-lease') });
}

function source(name: string): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}
