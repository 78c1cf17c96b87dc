import type { Lulls } from './lulls.ts';
import type { Participant } from './participant.ts';
import type { Random } from './random.ts';
import { reality, type Setting } from './setting.ts';

type Act =
  | 'nothing'
  | 'hesitate'
  | 'search'
  | 'skip'
  | 'end'
  | 'send'
  | 'burst'
  | 'drop'
  | 'reload'
  | 'copy'
  | 'betray'
  | 'leave';

const burst = 5;
/** The weight of what also calm people do now and then: their tabs stay open, and so show what becomes of them. */
const rarely = 0.08;
/** And of what is to be seen in a short run. */
const often = 4;
/** As often as if the person were so restless, whoever waits in a lull loses the connection, or loads the page again. */
const stumblesInLulls = 2;
/** And so much less often whoever is idle looks for a partner. */
const seekInLulls = 0.004;

export interface PersonOptions {
  participant: Participant;
  random: Random;
  setting?: Setting;
  actsPerSecond: number;
  lulls: Pick<Lulls, 'isNow'>;
  /** What the person does often, though people do not. */
  often?: 'copy' | 'betray' | undefined;
}

/**
 * Uses a client as people do, at random times and without waiting for what comes of it. Some people are restless, and
 * some stay in one chat for long.
 */
export class Person {
  readonly participant: Participant;
  readonly #random: Random;
  readonly #setting: Setting;
  readonly #actsPerSecond: number;
  readonly #lulls: Pick<Lulls, 'isNow'>;
  readonly #often: PersonOptions['often'];
  /** From 0.01, who hardly ever leaves a chat, to 1. Half of the people are below 0.08. */
  readonly #restlessness: number;
  #timer: unknown;

  constructor({ participant, random, actsPerSecond, lulls, often, setting = reality }: PersonOptions) {
    this.#setting = setting;
    this.participant = participant;
    this.#random = random;
    this.#actsPerSecond = actsPerSecond;
    this.#lulls = lulls;
    this.#often = often;
    this.#restlessness = 0.01 + 0.99 * random.next() ** 4;
  }

  start(): void {
    const waitMs = (-Math.log(1 - this.#random.next()) / this.#actsPerSecond) * 1000;
    this.#timer = this.#setting.world.setTimeout(() => {
      this.#act();
      this.start();
    }, waitMs);
  }

  stop(): void {
    this.#setting.world.clearTimeout(this.#timer);
  }

  #act(): void {
    const { participant } = this;
    const { state } = participant;
    if (state === 'gone') participant.connect();
    // What is written while the connection is away is kept by a client that resumes.
    if (state === 'away') participant.send();
    if (state === 'gone' || state === 'connecting' || state === 'away') return;
    const act = this.#choose(state);
    if (act === 'burst') for (let n = 0; n < burst; n++) participant.send();
    else if (act === 'hesitate') {
      // Two commands at once: whoever does the first one late does it against the second.
      participant[state === 'paired' ? 'skip' : 'search']();
      participant.end();
    } else if (act !== 'nothing') participant[act]();
  }

  #choose(state: 'idle' | 'waiting' | 'paired'): Act {
    const r = this.#restlessness;
    const { isNow } = this.#lulls;
    const [hurries, stumbles, seeks] = isNow ? [0, stumblesInLulls, seekInLulls] : [r, r, 1];
    const weights: [Act, number][] = {
      idle: [
        ['search', 75 * seeks],
        ['hesitate', 10 * seeks],
        ['nothing', 95 - 85 * seeks],
        ['drop', 2 * r],
        ['reload', r],
        ['leave', 2 * r],
      ] as [Act, number][],
      waiting: [
        ['nothing', 92],
        ['search', 1],
        ['end', 4 * hurries],
        ['drop', 2 * stumbles],
        ['reload', stumbles],
        ['copy', 0.3 * stumbles],
        ['betray', 0.3 * stumbles],
      ] as [Act, number][],
      paired: [
        ['send', 80],
        ['burst', 4],
        ['skip', 8 * hurries],
        ['hesitate', 2 * hurries],
        ['end', 4 * r],
        ['drop', 4 * r],
        ['reload', 2 * r],
        ['copy', this.#often === 'copy' ? often : rarely],
        ['betray', this.#often === 'betray' ? often : rarely],
        ['leave', r],
      ] as [Act, number][],
    }[state];
    let left = this.#random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [act, weight] of weights) {
      left -= weight;
      if (left < 0) return act;
    }
    return 'nothing';
  }
}
