import { realWorld, type World } from './world.ts';

/** Whoever types on says so again in less time than this. */
const lapseMs = 6000;

/** Whether the partner of one session is writing, as far as it is known. */
export class PartnerTyping {
  readonly #world: World;
  readonly #changed: (typing: boolean) => void;
  #typing = false;
  #lapse: unknown;

  constructor(changed: (typing: boolean) => void, world: World = realWorld) {
    this.#world = world;
    this.#changed = changed;
  }

  set(typing: boolean): void {
    this.#world.clearTimeout(this.#lapse);
    if (typing) this.#lapse = this.#world.setTimeout(() => this.set(false), lapseMs);
    if (typing === this.#typing) return;
    this.#typing = typing;
    this.#changed(typing);
  }
}
