const answerWithinMs = 150;

type Note = { ask: true } | { saved: string };

export interface TwinTabsOptions {
  storage: Storage;
  /** Another tab wants this tab's chat: gives it away, if there is one. */
  handOver: () => string | undefined;
}

/**
 * The tabs that a browser has made as copies of one tab, and that would all go on with the same chat. Only one of them can:
 * it is handed from one to another, so that no message is lost on the way.
 */
export class TwinTabs {
  /** Whether this tab is a copy, or was loaded again: a new tab has no twins yet. */
  readonly mayExist: boolean;
  readonly #channel: BroadcastChannel;
  #waiting: ((saved: string) => void) | undefined;

  constructor({ storage, handOver }: TwinTabsOptions) {
    // Copied with the tab, so that copies can find each other; other tabs have another one.
    const found = storage.getItem('passerby-tab');
    const name = found ?? String(crypto.getRandomValues(new BigUint64Array(1)));
    this.mayExist = found !== null;
    storage.setItem('passerby-tab', name);
    this.#channel = new BroadcastChannel(`passerby-${name}`);
    this.#channel.addEventListener('message', ({ data }: MessageEvent<Note>) => {
      if ('saved' in data) return this.#waiting?.(data.saved);
      const saved = handOver();
      if (saved !== undefined) this.#post({ saved });
    });
  }

  /** Asks the others for the chat. Undefined when none of them has it. */
  async ask(): Promise<string | undefined> {
    return new Promise(resolve => {
      const done = (saved?: string): void => {
        this.#waiting = undefined;
        clearTimeout(timer);
        resolve(saved);
      };
      const timer = setTimeout(done, answerWithinMs);
      this.#waiting = done;
      this.#post({ ask: true });
    });
  }

  #post(note: Note): void {
    this.#channel.postMessage(note);
  }
}
