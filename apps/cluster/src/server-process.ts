import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServerProcessOptions {
  /** What people call it, as it begins a sentence: `Redis`, `The recorder`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is added to it. */
  readonly env: NodeJS.ProcessEnv;
  /** Standard output and standard error are appended to this file. */
  readonly logFile: string;
  /** The signal that asks this program to stop in good order. */
  readonly stopSignal: 'SIGINT' | 'SIGTERM';
  /** How long an orderly stop may take before it is killed. */
  readonly stopTimeoutMs: number;
  /** Another user for the program; only root may ask for this. */
  readonly runAs?: UserAndGroup | undefined;
}

export interface UserAndGroup {
  readonly uid: number;
  readonly gid: number;
}

export interface Ending {
  /** The exit code; null if a signal ended it or it could not be run. */
  readonly code: number | null;
  /** To follow the name in a sentence: `ended with code 1`. */
  readonly how: string;
}

/**
 * A program that we started and that does not outlive us: on Linux the kernel sends it its stop signal when this
 * process dies, however it dies. It has a process group of its own, so Ctrl-C in a terminal reaches only this process,
 * which then stops everything in order.
 */
export class ServerProcess {
  /** Settles when the program has ended; never rejects. */
  readonly ended: Promise<Ending>;
  readonly #options: ServerProcessOptions;
  readonly #child: ChildProcess;
  #ending: Ending | undefined;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    mkdirSync(dirname(options.logFile), { recursive: true });
    const log = openSync(options.logFile, 'a');
    const { runAs, stopSignal } = options;
    const [command, args] = withoutOrphan(options.command, options.args, { runAs, signal: stopSignal });
    this.#child = spawn(command, args, {
      env: options.env,
      stdio: ['ignore', log, log],
      detached: true,
      ...(command === options.command && runAs),
    });
    closeSync(log);
    const child = this.#child;
    this.ended = new Promise(resolve => {
      const settle = (code: number | null, how: string): void => {
        this.#ending ??= { code, how };
        resolve(this.#ending);
      };
      child.once('error', error => settle(null, `could not run: ${error.message}`));
      child.once('exit', (code, signal) =>
        settle(code, signal === null ? `ended with code ${code}` : `ended by ${signal}`),
      );
    });
  }

  get name(): string {
    return this.#options.name;
  }

  /** Process id; undefined if the program could not be run. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Waits until `isReady` answers true.
   * @throws Error with the last lines of the log when the program ends first or `timeoutMs` have passed, or what
   * `isReady` throws. The program is stopped before that.
   */
  async untilReady(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const giveUpAt = performance.now() + timeoutMs;
    try {
      while (!(await isReady())) {
        if (this.#ending) throw this.failure(`${this.#ending.how} instead of starting`);
        if (performance.now() > giveUpAt) throw this.failure(`was not ready after ${timeoutMs / 1000} s`);
        await delay(50);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Asks the program to stop, and kills it if it takes too long. May be called at any time, and more than once. */
  async stop(): Promise<void> {
    if (this.#ending === undefined) this.#signal(this.#options.stopSignal);
    const timer = setTimeout(() => this.kill(), this.#options.stopTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Kills the program at once, and whatever it started in its process group. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  /** An error that says what happened to the program, with the last lines of its log. */
  failure(what: string): Error {
    return new Error(`${this.name} ${what}. ${lastLines(this.#options.logFile)}`);
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child.pid;
    if (pid === undefined || this.#ending !== undefined) return;
    try {
      process.kill(signal === 'SIGKILL' ? -pid : pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export interface OrphanOptions {
  /** Sent to the program when we die. Default: SIGTERM. */
  readonly signal?: 'SIGINT' | 'SIGTERM';
  /** Another user for the program; only root may ask for this. */
  readonly runAs?: UserAndGroup | undefined;
}

/** The command that runs a program which ends when this process ends. Where that cannot be had, the command as it is. */
export function withoutOrphan(
  command: string,
  args: readonly string[],
  { signal = 'SIGTERM', runAs }: OrphanOptions = {},
): [command: string, args: string[]] {
  if (!hasSetpriv()) return [command, [...args]];
  return ['setpriv', [...privilegeArgs(runAs), '--pdeathsig', signal.slice(3), '--', command, ...args]];
}

/**
 * Arguments of setpriv that give up root but keep one right: to pass folders that only root may enter (a project below
 * /root). An ordinary change of user would not get there. Without the secure bit, access(2), with which initdb looks
 * for its other programs, would not count that right.
 */
function privilegeArgs(runAs: UserAndGroup | undefined): string[] {
  if (runAs === undefined) return [];
  const caps = '-all,+dac_override';
  const { uid, gid } = runAs;
  return [
    ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--securebits=+no_setuid_fixup'],
    ...[`--inh-caps=${caps}`, `--ambient-caps=${caps}`],
  ];
}

let setprivFound: boolean | undefined;

/** Whether util-linux's setpriv is here (BusyBox has a smaller one). */
function hasSetpriv(): boolean {
  if (setprivFound === undefined) {
    try {
      setprivFound = execFileSync('setpriv', ['--help'], { encoding: 'utf8', stdio: 'pipe' }).includes('--pdeathsig');
    } catch {
      setprivFound = false;
    }
  }
  return setprivFound;
}

/** The end of a log file, as text for an error message. */
function lastLines(file: string, count = 12): string {
  let text = '';
  try {
    text = readFileSync(file, 'utf8').trimEnd();
  } catch {
    // No file is the same to the reader as an empty one.
  }
  if (text === '') return `Its log ${file} is empty.`;
  return `The last lines of ${file}:\n${text.split('\n').slice(-count).join('\n')}`;
}
