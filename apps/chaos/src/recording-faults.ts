import type { FaultKind } from './faults.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const touches = { recording: true };
const holdMs = (random: Random) => random.whole(1000, 8000);
const firstRecorder = (world: World) => {
  const [recorder] = world.recorders;
  if (!recorder) throw new Error('No recorder runs.');
  return recorder;
};

export const recordingFaults: Record<string, FaultKind> = {
  'postgres-kill': (world, random) => ({
    ...{ target: 'PostgreSQL', touches, holdMs: holdMs(random) },
    inject: () => world.postgres.kill(),
    heal: () => world.postgres.start(),
  }),
  'postgres-restart': (world, random) => ({
    ...{ target: 'PostgreSQL', touches, holdMs: holdMs(random) },
    inject: () => world.postgres.terminate(),
    heal: () => world.postgres.start(),
  }),
  /** Stopped (SIGSTOP) with all its processes: statements hang. */
  'postgres-pause': (world, random) => ({
    ...{ target: 'PostgreSQL', touches, holdMs: holdMs(random) },
    inject: () => world.postgres.freeze(),
    heal: () => world.postgres.wake(),
  }),
  /** Half-open: connections stay and pass nothing. */
  'postgres-silence': (world, random) => ({
    ...{ target: 'the recorder and PostgreSQL', touches, holdMs: holdMs(random) },
    inject: () => world.postgresProxy.cut(['there', 'back']),
    heal: () => world.postgresProxy.heal(),
  }),
  'postgres-cut': (world, random) => ({
    ...{ target: 'the recorder and PostgreSQL', touches, holdMs: holdMs(random) },
    inject: () => world.postgresProxy.refuse(),
    heal: () => world.postgresProxy.heal(),
  }),
  'recorder-kill': (world, random) => ({
    ...{ target: firstRecorder(world).name, touches, holdMs: random.whole(0, 4000) },
    inject: () => firstRecorder(world).kill(),
    heal: () => firstRecorder(world).start(),
  }),
  /** Stopped (SIGSTOP) and woken in the middle of whatever it did. */
  'recorder-pause': (world, random) => ({
    ...{ target: firstRecorder(world).name, touches, holdMs: holdMs(random) },
    inject: () => firstRecorder(world).freeze(),
    heal: () => firstRecorder(world).wake(),
  }),
  /** Another one runs beside the first, and is killed. */
  'recorder-twice': (world, random) => {
    let second: Awaited<ReturnType<World['addRecorder']>> | undefined;
    return {
      ...{ target: 'a second recorder', touches: {}, holdMs: holdMs(random) },
      inject: async () => {
        second = await world.addRecorder();
      },
      heal: async () => {
        await second?.kill();
      },
    };
  },
};
