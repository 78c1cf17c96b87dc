import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Diary } from './diary.ts';
import { Door } from './door.ts';
import { readEndState, readLeases } from './end-state.ts';
import { FaultSchedule } from './fault-schedule.ts';
import { faultKinds } from './faults.ts';
import { type History, Recording, type Settings } from './history.ts';
import { logComplaints } from './logs.ts';
import { Lulls } from './lulls.ts';
import { mutations } from './mutations.ts';
import type { Options } from './options.ts';
import { Person } from './person.ts';
import { PlainParticipant } from './plain-participant.ts';
import { seededRandom } from './random.ts';
import { ResumingParticipant } from './resuming-participant.ts';
import { rollCall } from './roll-call.ts';
import { watchOutbox } from './watch-outbox.ts';
import { watchStalls } from './watch-stalls.ts';
import { World } from './world.ts';

const nodes = 3;
const leaseMs = 5000;
const boundMs = 8000;
/** What was lost on the way must have arrived within the bound; so much longer there is something to see. */
const aWhileMs = 2000;
/** Until everybody who left has arrived as such. */
const leftWithinMs = 2000;

interface Patience {
  /** Short, so that what waits for its end need not be waited for long. */
  graceMs: number;
  /** Recording a backlog, and the reaping of whoever was on a node that died, may take this long after the end. */
  emptyWithinMs: number;
}

/**
 * The grace time is longer than any node is cut off from Redis, because such a node keeps its clients, who cannot resume
 * elsewhere meanwhile.
 */
const patient: Patience = { graceMs: 12_000, emptyWithinMs: 40_000 };
/** With something made wrong, what should come may never come. */
const impatient: Patience = { graceMs: 5000, emptyWithinMs: 5000 };

export interface Run {
  history: History;
  /** What the processes wrote; there until `remove`. */
  logDir: string;
  remove: () => Promise<void>;
}

/**
 * Starts everything, puts load and faults on it, and writes down what happens. All processes have ended when this returns.
 * @param stop when it aborts, the run is given up and everything is ended
 * @throws Error when something could not be started, or the run was given up
 */
export async function run(options: Options, stop: AbortSignal, say: (sentence: string) => void): Promise<Run> {
  const recording = new Recording();
  const { graceMs, emptyWithinMs } = options.broken === undefined ? patient : impatient;
  const dir = await mkdtemp(join(tmpdir(), 'passerby-chaos-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  const complain = (text: string) => void recording.add({ kind: 'complaint', text });
  const nodesBroken = options.broken && mutations[options.broken]?.where === 'nodes' ? options.broken : undefined;
  const world = new World({ dir, nodes, leaseMs, graceMs, broken: nodesBroken, complain });
  const settings: Settings = {
    ...{ seed: options.seed, boundMs, leaseMs, graceMs },
    ...(options.broken !== undefined && { broken: options.broken }),
  };
  const unwatch = watchStalls(recording);
  const over = new AbortController();
  const lulls = new Lulls(seededRandom(options.seed));
  const mutation = options.broken === undefined ? undefined : mutations[options.broken];
  const doors: Door[] = [];
  let people: Person[] = [];
  const givenUp = new Promise<never>((_resolve, reject) => {
    stop.addEventListener('abort', () => reject(new Error('The run was given up.')), { once: true });
  });
  givenUp.catch(() => {});
  try {
    const load = async (): Promise<History> => {
      say('Starting Redis, PostgreSQL, a recorder and the nodes');
      await world.start();
      const random = seededRandom(options.seed);
      const forFaults = seededRandom(random.whole(0, 2 ** 31));
      people = await Promise.all(
        Array.from({ length: options.people }, async (_, index) => {
          const own = seededRandom(random.whole(0, 2 ** 31));
          const door = await Door.open(world.nodes, own);
          doors.push(door);
          const kind = options.clients === 'both' ? (['resuming', 'plain'] as const)[index % 2] : options.clients;
          const diary = new Diary(recording, `p${index + 1}`, kind ?? 'plain');
          const participant =
            kind === 'resuming' ? new ResumingParticipant(door, diary) : new PlainParticipant(door, diary);
          const { often } = mutation ?? {};
          return new Person({ participant, random: own, actsPerSecond: options.rate, lulls, often });
        }),
      );
      recording.add({ kind: 'phase', phase: 'load' });
      void watchOutbox(world, recording, over.signal);
      for (const person of people) person.start();
      lulls.start();
      const names = options.faults ?? mutation?.faults ?? Object.keys(faultKinds);
      const schedule = new FaultSchedule({ world, recording, random: forFaults, names, say });
      await schedule.run(AbortSignal.timeout(options.minutes * 60_000));
      say('All is healed. People go on for a while');
      await delay(boundMs + aWhileMs);
      for (const person of people) person.stop();
      say('Everybody looks for a partner once more, and leaves');
      await rollCall(people, recording, boundMs);
      say('Waiting until nothing is left, and stopping');
      await delay(leftWithinMs);
      const end = await readEndState(world, emptyWithinMs);
      await world.stopApps();
      const leasesLeft = await readLeases(world);
      for (const text of await logComplaints(world.logDir)) complain(text);
      return { settings, events: recording.events, end: { ...end, leasesLeft } };
    };
    const history = await Promise.race([load(), givenUp]);
    return { history, logDir: world.logDir, remove };
  } catch (error) {
    await world.destroy();
    await remove();
    throw error;
  } finally {
    unwatch();
    lulls.stop();
    over.abort();
    for (const person of people) {
      person.stop();
      person.participant.leave();
    }
    for (const door of doors) door.close();
    await world.destroy();
  }
}
