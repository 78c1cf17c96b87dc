import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, faultGroups, faultKinds } from './faults.ts';
import type { FaultEvent, Recording } from './history.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const settleMs: [number, number] = [2000, 5000];
const secondWithinMs = 1000;
/** How often a second fault comes with the first. */
const pairShare = 0.25;
const readyWithinMs = 15_000;
const nothing = { halts: [], cuts: [], redis: false, recording: false, losesData: false };

export interface FaultScheduleOptions {
  world: World;
  recording: Recording;
  random: Random;
  /** Names of the faults to choose from. */
  names: readonly string[];
  /** Told what happens, for whoever watches. */
  say: (sentence: string) => void;
}

/**
 * Does one fault after the other, at times two at once, with time to settle in between. What is done to what, and for how
 * long, follows from the seed alone. Every kind comes once before any comes again.
 */
export class FaultSchedule {
  readonly #options: FaultScheduleOptions;
  #deck: string[] = [];

  constructor(options: FaultScheduleOptions) {
    this.#options = options;
  }

  /** Goes on until `over` aborts, and finishes what it is doing then. Afterwards all is healed. */
  async run(over: AbortSignal): Promise<void> {
    const { random } = this.#options;
    for (;;) {
      await delay(random.whole(...settleMs), undefined, { signal: over }).catch(() => {});
      if (over.aborted) return;
      await Promise.all(this.#next().map((name, index) => this.#do(name, index * random.whole(0, secondWithinMs))));
      await this.#untilReady();
    }
  }

  /** The names of one fault, or of two that do not undo each other. */
  #next(): string[] {
    const { random } = this.#options;
    const first = this.#draw(() => true);
    const group = faultGroups.find(each => first !== undefined && first in each);
    const second = random.next() < pairShare ? this.#draw(name => !(group && name in group)) : undefined;
    return [first, second].filter(name => name !== undefined);
  }

  #draw(fits: (name: string) => boolean): string | undefined {
    const { names, random } = this.#options;
    if (this.#deck.length === 0) this.#deck = random.shuffled(names);
    const at = this.#deck.findIndex(fits);
    return at < 0 ? undefined : this.#deck.splice(at, 1)[0];
  }

  async #do(name: string, afterMs: number): Promise<void> {
    const { world, recording, random, say } = this.#options;
    const kind = faultKinds[name];
    if (!kind) throw new Error(`There is no fault "${name}".`);
    const fault: Fault = kind(world, random);
    await delay(afterMs);
    const { target, touches, holdMs } = fault;
    say(`${name}: ${target}, for ${(holdMs / 1000).toFixed(1)} s`);
    const add = (details: Partial<FaultEvent> & { target: string }) =>
      recording.add<FaultEvent>({ kind: 'fault', name, ...nothing, ...details });
    const event = add({ target, ...touches });
    await fault.inject(async (partOf, touched, act) => {
      const part = add({ target: partOf, part: true, ...touched });
      await act();
      part.healedAt = recording.now();
    });
    await delay(holdMs);
    await fault.heal();
    event.healedAt = recording.now();
  }

  async #untilReady(): Promise<void> {
    const { world, recording } = this.#options;
    const giveUpAt = performance.now() + readyWithinMs;
    for (;;) {
      const late = world.nodes.filter(node => !node.ready).map(({ program }) => program.incarnation);
      if (late.length === 0) return;
      if (performance.now() > giveUpAt) {
        const text = `Not ready ${readyWithinMs / 1000} s after the last fault was healed: ${late.join(', ')}.`;
        recording.add({ kind: 'complaint', text });
        return;
      }
      await delay(100);
    }
  }
}
