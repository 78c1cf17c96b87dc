import { setTimeout as delay } from 'node:timers/promises';
import type { ChatNode } from './chat-node.ts';
import type { Direction } from './fault-proxy.ts';
import type { Fault, FaultKind } from './faults.ts';
import type { Random } from './random.ts';

const both: Direction[] = ['there', 'back'];

/** Longer than a lease, so that the node is given up. */
const longMs: [number, number] = [7000, 10_000];
const shortMs: [number, number] = [500, 3000];

/** A node loses something between it and Redis. */
function cut(
  how: (node: ChatNode, random: Random) => Promise<void> | void,
  [least, most]: [number, number],
  end: (node: ChatNode, random: Random) => void = node => node.proxy.heal(),
): FaultKind {
  return (world, random) => {
    const node = random.pick(world.nodes);
    return {
      target: node.program.name,
      touches: { cuts: [node.program.incarnation] },
      holdMs: random.whole(least, most),
      inject: () => how(node, random),
      heal: () => end(node, random),
    };
  };
}

/** What the network held back arrives late, or is lost with its connection. */
function healOrReset(node: ChatNode, random: Random): void {
  if (random.next() < 0.5) node.proxy.reset();
  node.proxy.heal();
}

/**
 * Again and again, the connections to Redis are reset for the nodes only: commands that they give up, or give once more, are
 * carried out a moment later.
 */
export async function echo(nodes: readonly ChatNode[], random: Random): Promise<void> {
  const times = random.whole(3, 8);
  for (let n = 0; n < times; n++) {
    for (const { proxy } of nodes) proxy.cut(['there'], { present: true });
    await delay(400);
    for (const { proxy } of nodes) proxy.abandon();
    // By then the nodes have connected again, and their users may have gone on; and yet it is not too late for a command.
    await delay(random.whole(800, 1300));
    for (const { proxy } of nodes) proxy.heal();
    await delay(500);
  }
}

function halt(node: ChatNode, fault: Omit<Fault, 'target' | 'touches'>): Fault {
  return { target: node.program.name, touches: { halts: [node.program.incarnation] }, ...fault };
}

function freeze([least, most]: [number, number]): FaultKind {
  return (world, random) => {
    const node = random.pick(world.nodes);
    return halt(node, {
      holdMs: random.whole(least, most),
      inject: () => node.program.freeze(),
      heal: () => node.program.wake(),
    });
  };
}

export const nodeFaults: Record<string, FaultKind> = {
  /** kill -9, and another process in its place later. */
  'node-kill': (world, random) => {
    const node = random.pick(world.nodes);
    return halt(node, {
      holdMs: random.whole(0, 4000),
      inject: async () => {
        node.ready = false;
        await node.program.kill();
      },
      heal: () => node.program.start(),
    });
  },
  /** Stopped for longer than its lease (SIGSTOP), then woken (SIGCONT). */
  'node-pause': freeze(longMs),
  /** Stopped for less than its lease. */
  'node-nap': freeze(shortMs),
  /** A deploy: SIGTERM, and another process in its place. */
  'node-restart': (world, random) => {
    const node = random.pick(world.nodes);
    return halt(node, {
      holdMs: random.whole(0, 1000),
      inject: async () => {
        node.ready = false;
        await node.program.terminate();
      },
      heal: () => node.program.start(),
    });
  },
  /** Every node, one after the other. */
  'rolling-restart': world => ({
    target: 'all nodes',
    touches: {},
    holdMs: 0,
    inject: async touching => {
      for (const node of world.nodes) {
        const { name, incarnation } = node.program;
        await touching(name, { halts: [incarnation] }, async () => {
          node.ready = false;
          await node.program.terminate();
          await node.program.start();
        });
        await delay(500);
      }
    },
    heal: () => {},
  }),
  /** Its connections to Redis end, and no new one is accepted. */
  'node-cut': cut(node => node.proxy.refuse(), [1000, 10_000]),
  /** Its connections to Redis stay open, and nothing passes, either way. */
  'node-silence': cut(node => node.proxy.cut(both), longMs, healOrReset),
  /** Commands do not reach Redis; what Redis says does reach the node. */
  'node-mute': cut(node => node.proxy.cut(['there']), longMs, healOrReset),
  /** Commands reach Redis and are done; no reply and no notice comes back. */
  'node-deaf': cut(node => node.proxy.cut(['back']), longMs, healOrReset),
  /** What is on its way is held back while new connections work; it arrives when the node has long given it up. */
  'node-late': cut(node => node.proxy.cut(both, { present: true }), [4000, 7000]),
  /** {@link echo} of one node. */
  'node-echo': cut((node, random) => echo([node], random), [0, 0]),
  /** Its connections to Redis are reset once: replies are lost. */
  'node-reset': cut(node => node.proxy.reset(), [0, 0]),
  /** Everything between it and Redis takes its time. */
  'node-slow': cut((node, random) => node.proxy.delay(random.whole(50, 400)), [3000, 8000]),
};
