import { setTimeout as delay } from 'node:timers/promises';
import type { FaultKind } from './faults.ts';
import { echo } from './node-faults.ts';

/** What happens between all nodes and Redis. */
export const networkFaults: Record<string, FaultKind> = {
  /** {@link echo} of all nodes. */
  'redis-echo': (world, random) => ({
    target: 'all nodes and Redis',
    touches: { cuts: world.nodes.map(({ program }) => program.incarnation) },
    holdMs: 0,
    inject: () => echo(world.nodes, random),
    heal: () => {},
  }),
  /**
   * One node after the other, round and round, hears nothing for a moment, and its connections are reset: what the others
   * sent it, and were told had reached it, is lost.
   */
  'redis-gaps': (world, random) => ({
    target: 'each node in turn',
    touches: {},
    holdMs: 0,
    inject: async touching => {
      const rounds = random.whole(2, 4);
      for (let round = 0; round < rounds; round++) {
        for (const { proxy, program } of world.nodes) {
          await touching(program.name, { cuts: [program.incarnation] }, async () => {
            proxy.cut(['back']);
            await delay(400);
            proxy.reset();
            proxy.heal();
          });
          await delay(random.whole(200, 400));
        }
      }
    },
    heal: () => {},
  }),
  /** Everything between the nodes and Redis takes its time. */
  'redis-slow': (world, random) => ({
    target: 'all nodes and Redis',
    touches: { cuts: world.nodes.map(({ program }) => program.incarnation) },
    holdMs: random.whole(3000, 8000),
    inject: () => {
      for (const { proxy } of world.nodes) proxy.delay(random.whole(20, 200));
    },
    heal: () => {
      for (const { proxy } of world.nodes) proxy.heal();
    },
  }),
};
