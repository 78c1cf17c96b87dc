import { idleMemory } from './idle.ts';
import { latency } from './latency.ts';
import { matching, recording } from './matching.ts';
import { overloads } from './overload.ts';
import { redisMemory, search } from './registry.ts';
import { relayAmongEight, relayBetweenTwo, relayOnOneNode } from './relay.ts';
import type { Scenario } from './scenario.ts';
import { storm } from './storm.ts';

/** What can be measured, in the order in which it is done. */
export const scenarios: Record<string, Scenario> = {
  'relay-1': relayOnOneNode,
  'relay-2': relayBetweenTwo,
  'relay-8': relayAmongEight,
  matching,
  recording,
  search,
  'redis-memory': redisMemory,
  'idle-memory': idleMemory,
  latency,
  storm,
  ...overloads,
};
