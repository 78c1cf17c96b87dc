import type { Way } from '../participant.ts';
import type { Random } from '../random.ts';
import type { Setting } from '../setting.ts';
import type { Planned, Scheduler } from './scheduler.ts';
import { type ClientEnd, SimulatedLine } from './simulated-line.ts';
import type { SimulatedNode } from './simulated-node.ts';
import { type PeekingOptions, SimulatedSocket } from './simulated-socket.ts';

/** The way from clients to nodes. */
export class SimulatedNetwork {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly #nodes: () => readonly SimulatedNode[];
  readonly #doors = new Map<string, SimulatedDoor>();
  #lines = 0;

  constructor(scheduler: Scheduler, random: Random, nodes: () => readonly SimulatedNode[]) {
    this.scheduler = scheduler;
    this.random = random;
    this.#nodes = nodes;
  }

  /** What participants live in here. */
  get setting(): Setting {
    const { scheduler, random } = this;
    return {
      world: {
        date: () => 1_700_000_000_000 + scheduler.now,
        setTimeout: (task, ms) => scheduler.after(ms, 'client timer', task),
        clearTimeout: timer => scheduler.cancel(timer as Planned | undefined),
        random: () => random.next(),
        io: (url, options) => new SimulatedSocket(this, url, options).asSocket,
      },
      now: () => scheduler.now,
      abortAfter: ms => {
        const controller = new AbortController();
        scheduler.after(ms, 'abort', () => controller.abort(new Error('It took too long.')));
        return controller.signal;
      },
      peeking: welcomed => ({ welcomed }) as PeekingOptions,
    };
  }

  door(name: string, random: Random): SimulatedDoor {
    const door = new SimulatedDoor(`simulated://${name}`, () => {
      const ready = this.#nodes().filter(({ isReady }) => isReady);
      return ready.length === 0 ? undefined : random.pick(ready);
    });
    this.#doors.set(door.url, door);
    return door;
  }

  /** Opens a connection; undefined when no node takes it. */
  open(url: string, client: ClientEnd): SimulatedLine | undefined {
    const door = this.#doors.get(url);
    const node = door
      ? door.enter()
      : this.#nodes().find(({ name, isReady }) => isReady && url === `simulated://${name}`);
    if (!node) return undefined;
    const { scheduler, random } = this;
    const line = new SimulatedLine({ id: `s${++this.#lines}`, scheduler, random, node, client });
    door?.lines.add(line);
    return line;
  }
}

/** One person's way to the chat. */
export class SimulatedDoor implements Way {
  readonly url: string;
  readonly lines = new Set<SimulatedLine>();
  readonly #draw: () => SimulatedNode | undefined;
  node = '';

  constructor(url: string, draw: () => SimulatedNode | undefined) {
    this.url = url;
    this.#draw = draw;
  }

  get elsewhere(): string | undefined {
    const node = this.#draw();
    return node && `simulated://${node.name}`;
  }

  enter(): SimulatedNode | undefined {
    const node = this.#draw();
    if (node) this.node = node.name;
    return node;
  }

  lose(): void {
    for (const line of this.lines) line.lose();
    this.lines.clear();
  }
}
