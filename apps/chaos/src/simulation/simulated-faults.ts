import type { FaultEvent } from '../history.ts';
import type { Random } from '../random.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { SimulatedWorld } from './simulated-world.ts';

type Touches = Partial<Pick<FaultEvent, 'halts' | 'cuts' | 'redis' | 'recording' | 'losesData'>>;

/** What one fault does. It has ended, and all that it touched works again, when `act` resolves. */
interface Doing {
  target: string;
  touches: Touches;
  act: () => Promise<void>;
}

export type SimulatedFault = (world: SimulatedWorld, random: Random) => Doing | undefined;

/** Longer than a lease, so that the node is given up. */
const longMs: [number, number] = [6000, 10_000];
const shortMs: [number, number] = [200, 3000];
/** How old what is left after a failover may be, in ms. */
const laggedMs: [number, number] = [20, 1500];
const both = ['there', 'back'] as const;

/** Nobody may be cut off or halted twice at once, or what is healed too early would count as lasting. */
function ofNode(
  kind: 'halts' | 'cuts',
  act: (node: SimulatedNode, world: SimulatedWorld, random: Random) => Promise<void>,
): SimulatedFault {
  return (world, random) => {
    const node = world.freeNode(random);
    if (!node) return undefined;
    return {
      target: node.name,
      touches: { [kind]: [node.name] },
      act: () => world.busyWith([node], () => act(node, world, random)),
    };
  };
}

function cut(
  [least, most]: [number, number],
  how: (node: SimulatedNode, random: Random) => void,
  end: (node: SimulatedNode, random: Random) => void = heal,
): SimulatedFault {
  return ofNode('cuts', async (node, { scheduler }, random) => {
    const ms = random.whole(least, most);
    how(node, random);
    await scheduler.delay(ms);
    end(node, random);
    await untilConnected(node, scheduler.delay.bind(scheduler));
  });
}

/** A connection that was lost comes back within a second or so. */
async function untilConnected(node: SimulatedNode, delay: (ms: number) => Promise<void>): Promise<void> {
  for (let waits = 0; waits < 100 && !node.dead && !node.wires.every(({ isReady }) => isReady); waits++)
    await delay(50);
}

function heal(node: SimulatedNode): void {
  for (const wire of node.wires) wire.heal();
}

function healOrReset(node: SimulatedNode, random: Random): void {
  if (random.next() < 0.5) for (const wire of node.wires) wire.reset();
  heal(node);
}

function ofRedis(touches: Touches, act: (world: SimulatedWorld, random: Random) => Promise<void>): SimulatedFault {
  return world => {
    if (world.isRedisBusy) return undefined;
    return {
      target: 'Redis',
      touches: { redis: true, ...touches },
      act: () => world.busyWithRedis(() => act(world, world.random)),
    };
  };
}

async function comeBack(world: SimulatedWorld): Promise<void> {
  world.redis.start();
  await Promise.all(world.nodes.map(node => untilConnected(node, ms => world.scheduler.delay(ms))));
}

export const simulatedFaults: Record<string, SimulatedFault> = {
  /** The process dies, and another one comes in its place. */
  'node-kill': ofNode('halts', async (node, world, random) => {
    node.kill();
    await world.scheduler.delay(random.whole(0, 4000));
    await world.startInPlaceOf(node);
  }),
  /** Drained, ended in good order, and another one comes: a deploy. */
  'node-restart': ofNode('halts', async (node, world) => {
    await node.stop();
    await world.startInPlaceOf(node);
  }),
  'node-pause': ofNode('halts', async (node, { scheduler }, random) => {
    node.sleep();
    await scheduler.delay(random.whole(...longMs));
    node.wake();
  }),
  'node-nap': ofNode('halts', async (node, { scheduler }, random) => {
    node.sleep();
    await scheduler.delay(random.whole(...shortMs));
    node.wake();
  }),
  'node-cut': cut([500, 10_000], node => {
    for (const wire of node.wires) wire.refuse();
  }),
  'node-silence': cut(
    longMs,
    node => {
      for (const wire of node.wires) wire.hold(both);
    },
    healOrReset,
  ),
  'node-mute': cut(
    longMs,
    node => {
      for (const wire of node.wires) wire.hold(['there']);
    },
    healOrReset,
  ),
  'node-deaf': cut(
    longMs,
    node => {
      for (const wire of node.wires) wire.hold(['back']);
    },
    healOrReset,
  ),
  /** What is on its way is held back while new connections work. */
  'node-late': cut([300, 5000], node => {
    for (const wire of node.wires) wire.hold(both, { present: true });
  }),
  /** The node gives up what Redis does a moment later. */
  'node-echo': cut([800, 1600], node => {
    for (const wire of node.wires) wire.hold(['there'], { present: true });
    for (const wire of node.wires) wire.abandon();
  }),
  /** A reply is lost. The command was carried out, or not. */
  'node-reset': cut([0, 100], (node, random) => {
    for (const wire of node.wires) if (random.next() < 0.5) wire.reset();
  }),
  /** What is sent to the node is lost for a moment. */
  'node-gap': ofNode('cuts', async (node, { scheduler }, random) => {
    const subscriber = node.wires.at(-1);
    subscriber?.hold(['back']);
    await scheduler.delay(random.whole(50, 500));
    subscriber?.reset();
    subscriber?.heal();
    await untilConnected(node, ms => scheduler.delay(ms));
  }),
  'node-slow': cut([1000, 6000], (node, random) => {
    const ms = random.whole(20, 400);
    for (const wire of node.wires) wire.slow(ms);
  }),
  /** Redis comes back with its data. */
  'redis-restart': ofRedis({}, async (world, random) => {
    world.redis.stop();
    await world.scheduler.delay(random.whole(50, 3000));
    await comeBack(world);
  }),
  /** Redis comes back without its data. */
  'redis-wipe': ofRedis({ losesData: true }, async (world, random) => {
    world.redis.stop();
    await world.redis.wipe();
    await world.scheduler.delay(random.whole(50, 3000));
    await comeBack(world);
  }),
  /** Another server takes its place, which has not heard of what came last. */
  'redis-failover': ofRedis({ losesData: true }, async (world, random) => {
    const restore = await world.redis.capture();
    await world.scheduler.delay(random.whole(...laggedMs));
    world.redis.stop();
    await restore();
    await world.scheduler.delay(random.whole(50, 1000));
    await comeBack(world);
  }),
  'redis-pause': ofRedis({}, async (world, random) => {
    world.redis.pause();
    await world.scheduler.delay(random.whole(200, 8000));
    world.redis.resume();
    await comeBack(world);
  }),
  'redis-full': ofRedis({}, async (world, random) => {
    world.redis.refuses = 'OOM ';
    await world.scheduler.delay(random.whole(200, 5000));
    world.redis.refuses = undefined;
  }),
  'redis-readonly': ofRedis({}, async (world, random) => {
    world.redis.refuses = 'READONLY ';
    await world.scheduler.delay(random.whole(200, 5000));
    world.redis.refuses = undefined;
  }),
};

export const simulatedFaultNames = Object.keys(simulatedFaults);
