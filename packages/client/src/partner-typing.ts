/** Whoever types on says so again in less time than this. */
const lapseMs = 6000;

/** Whether the partner of one session is writing, as far as it is known. */
export class PartnerTyping {
  readonly #changed: (typing: boolean) => void;
  #typing = false;
  #lapse: ReturnType<typeof setTimeout> | undefined;

  constructor(changed: (typing: boolean) => void) {
    this.#changed = changed;
  }

  set(typing: boolean): void {
    clearTimeout(this.#lapse);
    if (typing) this.#lapse = setTimeout(() => this.set(false), lapseMs);
    if (typing === this.#typing) return;
    this.#typing = typing;
    this.#changed(typing);
  }
}
