import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';

type Arguments = (string | number)[];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    searchPartner(...keysAndArguments: Arguments): Result<string[][], Context>;
    leaveChat(...keysAndArguments: Arguments): Result<string[][], Context>;
    suspendUser(...keysAndArguments: Arguments): Result<string[], Context>;
    resumeUser(...keysAndArguments: Arguments): Result<[number, ...string[]] | null, Context>;
    retireToken(...keysAndArguments: Arguments): Result<number, Context>;
    adoptStrays(...keysAndArguments: Arguments): Result<string, Context>;
    expireAway(...keysAndArguments: Arguments): Result<number, Context>;
    syncUsers(...keysAndArguments: Arguments): Result<string[], Context>;
    disownUsers(...keysAndArguments: Arguments): Result<string[], Context>;
    reapNode(...keysAndArguments: Arguments): Result<number, Context>;
    renewLease(...keysAndArguments: Arguments): Result<[string, number, number, number, ...string[]], Context>;
    postStatus(...keysAndArguments: Arguments): Result<number, Context>;
    setAsideFact(...keysAndArguments: Arguments): Result<number, Context>;
    retryFacts(...keysAndArguments: Arguments): Result<number, Context>;
  }
}

/**
 * Makes the Lua scripts commands of a connection. ioredis loads them where they are missing.
 *
 * The first line of a script tells Redis what to do with it when no memory is left: with `allow-oom` it runs, so that a
 * full Redis can be left; otherwise Redis refuses it before it has done anything.
 */
export function defineScripts(redis: Redis): void {
  redis.defineCommand('searchPartner', onRegistry('search-partner', 'drawing'));
  redis.defineCommand('leaveChat', onRegistry('leave-chat'));
  redis.defineCommand('suspendUser', onRegistry('suspend-user', 'absence'));
  redis.defineCommand('resumeUser', onRegistry('resume-user'));
  redis.defineCommand('retireToken', onRegistry('retire-token'));
  redis.defineCommand('adoptStrays', onRegistry('adopt-strays'));
  redis.defineCommand('expireAway', onRegistry('expire-away', 'absence'));
  redis.defineCommand('syncUsers', onRegistry('sync-users'));
  redis.defineCommand('disownUsers', onRegistry('disown-users', 'absence'));
  redis.defineCommand('reapNode', onRegistry('reap-node', 'absence'));
  redis.defineCommand('renewLease', { numberOfKeys: 4, lua: source('renew-lease') });
  redis.defineCommand('postStatus', { numberOfKeys: 2, lua: source('post-status') });
  redis.defineCommand('setAsideFact', { numberOfKeys: 2, lua: source('set-aside-fact') });
  redis.defineCommand('retryFacts', { numberOfKeys: 2, lua: source('retry-facts') });
}

/**
 * A script with what all scripts on the registry have in common, and what else it needs, behind its own first line. What it
 * does not need it does not get: Redis makes every function anew for each call.
 */
function onRegistry(name: string, ...parts: string[]): { numberOfKeys: number; lua: string } {
  const [shebang = '', ...lines] = source(name).split('\n');
  return { numberOfKeys: 6, lua: [shebang, ...['registry', 'sessions', ...parts].map(source), ...lines].join('\n') };
}

function source(name: string): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}
