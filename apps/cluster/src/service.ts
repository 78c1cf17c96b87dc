import { setTimeout as delay } from 'node:timers/promises';
import type { ServerProcess } from './server-process.ts';

const restartAfterMs = 1000;
const checkEveryMs = 1000;

export interface ServiceOptions {
  /** As it begins a sentence: `Redis`, `Chat node 1`. */
  readonly name: string;
  /** Where it is reached. */
  readonly url: string;
  /**
   * Starts the program, calls `started` with it as soon as it can, and resolves when it is ready; a program that does
   * not become ready has been stopped when this rejects.
   */
  readonly launch: (started: (process: ServerProcess) => void) => Promise<void>;
  /** Asked every second while the program runs. Without it, a program that runs counts as ready. */
  readonly isReady?: () => Promise<boolean>;
  /** Told, in a sentence, what happens to it after the start. */
  readonly onEvent: (sentence: string) => void;
}

/** One program of the cluster. Once started, it is started again whenever it ends by itself, until it is stopped. */
export class Service {
  readonly name: string;
  readonly url: string;
  readonly #options: ServiceOptions;
  readonly #stopping = new AbortController();
  #process: ServerProcess | undefined;
  #running = Promise.resolve();
  #ready = false;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.url = options.url;
    this.#options = options;
  }

  /** Whether it can do its work now, as far as is known. */
  get ready(): boolean {
    return this.#ready;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** @throws what `launch` throws: the first start must succeed. */
  async start(): Promise<void> {
    const first = this.#launch();
    this.#running = first.then(
      () => this.#keepRunning(),
      () => {},
    );
    await first;
  }

  /** Stops it in good order, and kills it if that takes too long. May be called at any time, and more than once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#ready = false;
    await this.#process?.stop();
    await this.#running;
  }

  /** Makes a stop that is under way a short one. */
  kill(): void {
    this.#process?.kill();
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #launch(): Promise<void> {
    await this.#options.launch(process => {
      this.#process = process;
      if (this.#isStopping) void process.stop();
    });
    this.#ready = !this.#isStopping;
  }

  async #keepRunning(): Promise<void> {
    const { name, onEvent } = this.#options;
    while (this.#process) {
      const how = await this.#watch(this.#process);
      let runs = false;
      if (!this.#isStopping) onEvent(`${name} ${how}. It is started again in ${restartAfterMs / 1000} s.`);
      while (!runs) {
        await delay(restartAfterMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
        if (this.#isStopping) return;
        runs = await this.#launch().then(
          () => true,
          () => false,
        );
        if (!this.#isStopping) onEvent(`${name} ${runs ? 'runs again' : 'did not start: trying again'}.`);
      }
    }
  }

  /** Keeps `ready` true to the facts until the program ends, and answers how it ended. */
  async #watch(process: ServerProcess): Promise<string> {
    const { isReady } = this.#options;
    const over = new AbortController();
    const ending = process.ended.finally(() => over.abort());
    while (isReady && !over.signal.aborted) {
      await delay(checkEveryMs, undefined, { signal: over.signal }).catch(() => {});
      const ready = !over.signal.aborted && (await isReady());
      this.#ready = ready && !this.#isStopping && !over.signal.aborted;
    }
    const { how } = await ending;
    this.#ready = false;
    return how;
  }
}
