import { Paced } from './paced.ts';
import { realWorld, type World } from './world.ts';

/** Changes are told this often at the most. */
const tellMs = 1000;
/** The partner's client forgets it after 6 s: while the user types on, it is told again. */
const againMs = 3000;

/** Tells the partner of one session whether the user is writing. Nothing depends on it: what does not arrive is not repeated. */
export class OwnTyping {
  readonly #transmit: (typing: boolean) => void;
  readonly #world: World;
  readonly #pace: Paced;
  #typing = false;
  /** What the partner was told last, or believes since a message. */
  #told = false;
  #again: unknown;

  constructor(transmit: (typing: boolean) => void, world: World = realWorld) {
    this.#transmit = transmit;
    this.#world = world;
    this.#pace = new Paced(world, tellMs, () => this.#tell());
  }

  set(typing: boolean): void {
    if (typing === this.#typing) return;
    this.#typing = typing;
    this.#pace.run();
  }

  /** The user has sent what they typed, which tells the partner enough. */
  sent(): void {
    this.#typing = false;
    this.#told = false;
    this.#world.clearTimeout(this.#again);
  }

  /** Nobody is there any more who could be told. */
  stop(): void {
    this.sent();
    this.#pace.reset();
  }

  #tell(): void {
    this.#world.clearTimeout(this.#again);
    if (this.#typing || this.#told) this.#transmit(this.#typing);
    this.#told = this.#typing;
    if (this.#typing) this.#again = this.#world.setTimeout(() => this.#pace.run(), againMs);
  }
}
