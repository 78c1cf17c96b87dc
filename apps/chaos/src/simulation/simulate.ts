import { Diary } from '../diary.ts';
import { type FaultEvent, type History, Recording, type Settings } from '../history.ts';
import { Lulls } from '../lulls.ts';
import { mutations } from '../mutations.ts';
import { Person } from '../person.ts';
import { PlainParticipant } from '../plain-participant.ts';
import { seededRandom } from '../random.ts';
import { ResumingParticipant } from '../resuming-participant.ts';
import { rollCall } from '../roll-call.ts';
import { checkAgreement } from './agreement.ts';
import type { Plan } from './plan.ts';
import { Scheduler } from './scheduler.ts';
import { simulatedFaults } from './simulated-faults.ts';
import { SimulatedWorld } from './simulated-world.ts';

const leaseMs = 5000;
const graceMs = 12_000;
const boundMs = 8000;
const aWhileMs = 2000;
const emptyWithinMs = 60_000;
const nothing = { halts: [], cuts: [], redis: false, recording: false, losesData: false };

export interface Simulated {
  history: History;
  /** Names all that has happened, in its order: the same for the same plan. */
  hash: string;
  events: number;
  /** Those of the plan that could be done. */
  faults: number;
  /** Messages that went from one user to another. */
  messages: number;
  log: string[] | undefined;
}

export interface SimulateOptions {
  /** What to make wrong on purpose, if anything. */
  broken?: string | undefined;
  log?: boolean;
}

/** Lives through one plan, and writes down what its people saw. @throws Error when something waits for ever */
export async function simulate(plan: Plan, { broken, log = false }: SimulateOptions = {}): Promise<Simulated> {
  const scheduler = new Scheduler({ log });
  // What one client sees in one moment has an order, too.
  let moments = 0;
  const recording = new Recording(() => scheduler.now + ++moments * 1e-6);
  const { seed } = plan;
  const world = new SimulatedWorld({ scheduler, seed, nodes: plan.nodes, leaseMs, graceMs, recording });
  const settings: Settings = { seed, boundMs, leaseMs, graceMs, ...(broken !== undefined && { broken }) };
  const life = new Life(plan, world, recording, broken);
  await scheduler.run(life.run());
  const end = life.end;
  if (!end) throw new Error('The simulation has not come to its end.');
  return {
    history: { settings, events: recording.events, end },
    hash: scheduler.hash,
    events: scheduler.count,
    faults: recording.events.filter(({ kind }) => kind === 'fault').length,
    messages: world.messages,
    log: scheduler.log,
  };
}

/** One run, from the first connection until nothing is left. */
class Life {
  readonly #plan: Plan;
  readonly #world: SimulatedWorld;
  readonly #recording: Recording;
  readonly #people: Person[];
  readonly #lulls: Lulls;
  end: History['end'] | undefined;

  constructor(plan: Plan, world: SimulatedWorld, recording: Recording, broken: string | undefined) {
    this.#plan = plan;
    this.#world = world;
    this.#recording = recording;
    const { setting } = world.network;
    this.#lulls = new Lulls(seededRandom(plan.seed ^ 0x111), setting);
    const { often } = mutations[broken ?? ''] ?? {};
    this.#people = plan.people.map(({ name, kind, seed }) => {
      const random = seededRandom(seed);
      const door = world.network.door(name, random);
      const diary = new Diary(recording, name, kind);
      const participant =
        kind === 'resuming'
          ? new ResumingParticipant(door, diary, setting)
          : new PlainParticipant(door, diary, setting);
      return new Person({ participant, random, actsPerSecond: plan.rate, lulls: this.#lulls, often, setting });
    });
  }

  async run(): Promise<void> {
    const { scheduler, nodes } = this.#world;
    for (const node of nodes) await this.#world.untilReady(node);
    this.#recording.add({ kind: 'phase', phase: 'load' });
    for (const person of this.#people) person.start();
    this.#lulls.start();
    await this.#suffer();
    this.#lulls.stop();
    await scheduler.delay(boundMs);
    for (const person of this.#people) person.stop();
    await scheduler.delay(boundMs + aWhileMs);
    for (const text of checkAgreement(this.#people, this.#world)) this.#recording.add({ kind: 'complaint', text });
    await rollCall(this.#people, this.#recording, boundMs, this.#world.network.setting);
    await scheduler.delay(aWhileMs);
    this.end = await this.#endState();
  }

  /** Does all faults of the plan, at their times. */
  async #suffer(): Promise<void> {
    const { scheduler } = this.#world;
    const beganAt = scheduler.now;
    const all = this.#plan.faults.map(async ({ at, name, seed }) => {
      await scheduler.delay(beganAt + at - scheduler.now);
      const random = seededRandom(seed);
      const doing = simulatedFaults[name]?.(this.#world, random);
      if (!doing) return;
      const { target, touches, act } = doing;
      const event = this.#recording.add<FaultEvent>({ kind: 'fault', name, target, ...nothing, ...touches });
      await act();
      event.healedAt = this.#recording.now();
    });
    await Promise.all([...all, scheduler.delay(this.#plan.ms)]);
    await Promise.all(this.#world.nodes.map(node => this.#world.untilReady(node)));
  }

  async #endState(): Promise<History['end']> {
    const { scheduler, redis, recorder, nodes } = this.#world;
    const giveUpAt = scheduler.now + emptyWithinMs;
    const isLeft = async () => redis.store.users.length > 0 || (await redis.outbox.backlog()).length > 0;
    while ((await isLeft()) && scheduler.now < giveUpAt) await scheduler.delay(250);
    const keys = redis.store.users.map(user => `user ${JSON.stringify(user)}`);
    for (const node of nodes) {
      const users = [...node.service.present, ...node.front.users.keys()];
      if (users.length > 0) keys.push(`in ${node.name} ${JSON.stringify(users)}`);
      if (node.front.open > 0) keys.push(`in ${node.name} ${node.front.open} questions without an answer`);
    }
    const leases = [...redis.store.leases].flatMap(([nodeId, lapsesAt]) => (lapsesAt > redis.date ? [nodeId] : []));
    const ids = nodes.map(({ lease }) => lease.nodeId);
    await Promise.all(nodes.map(node => node.stop()));
    await scheduler.delay(aWhileMs);
    recorder.closeLost();
    return { rows: recorder.rows, keys, leases, nodes: ids, leasesLeft: [...redis.store.leases.keys()] };
  }
}
