import { isReady, ServerProcess, signalTree } from '@passerby/cluster';

const stopWithinMs = 25_000;
const readyWithinMs = 30_000;

export interface ProgramOptions {
  /** Such as `node-1`. */
  name: string;
  /** Starts it once more; called with a name for this very process, such as `node-1#2`. Resolves when it is ready. */
  launch: (incarnation: string, started: (process: ServerProcess) => void) => Promise<void>;
  /** Told, in a sentence, when it ends without having been asked to, or not as it should. */
  complain: (sentence: string) => void;
}

/** A program that faults are done to: killed, stopped, started again. */
export class Program {
  readonly name: string;
  readonly #options: ProgramOptions;
  #process: ServerProcess | undefined;
  #starts = 0;
  /** Whether the end of the present process is our own doing. */
  #asked = false;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The name of the present process. */
  get incarnation(): string {
    return `${this.name}#${this.#starts}`;
  }

  async start(): Promise<void> {
    this.#starts += 1;
    this.#asked = false;
    const incarnation = this.incarnation;
    await this.#options.launch(incarnation, started => {
      this.#process = started;
      void started.ended.then(({ how }) => {
        if (this.#process !== started) return;
        this.#process = undefined; // Its number may soon be that of another process.
        if (!this.#asked) this.#options.complain(`${incarnation} ${how} by itself.`);
      });
    });
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#asked = true;
    this.signal('SIGKILL');
    await process?.ended;
  }

  /** Asks it to stop in good order. Complains when that takes too long or does not end with code 0. */
  async terminate(): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.#asked = true;
    await process.stop();
    const { code, how } = await process.ended;
    if (code !== 0) this.#options.complain(`${this.incarnation} was asked to stop and ${how}.`);
  }

  /** Makes it stand still, with all processes below it, until `wake`. */
  freeze(): void {
    this.signal('SIGSTOP');
  }

  wake(): void {
    this.signal('SIGCONT');
  }

  signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid;
    if (pid !== undefined) signalTree(pid, signal);
  }
}

export interface AppOptions {
  incarnation: string;
  /** The arguments of Node. */
  args: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Where it answers `/readyz`. */
  url: string;
}

/** Starts one of our own apps, and waits until it is ready. */
export async function launchApp(
  { incarnation, args, env, logFile, url }: AppOptions,
  started: (process: ServerProcess) => void,
): Promise<void> {
  const app = new ServerProcess({
    name: incarnation,
    command: process.execPath,
    args,
    env,
    logFile,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: stopWithinMs,
  });
  started(app);
  await app.untilReady(() => isReady(url), readyWithinMs);
}
