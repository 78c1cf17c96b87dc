import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { programDir, serverEnvironment } from './config.ts';

/** What a process can be told to do. Inputs and outputs are data. */
export type Commands = Record<string, (input: never) => Promise<unknown>>;

export type Answer = { output: unknown } | { error: string };

/** A process of ours that does what it is told; see `serveCommands`. It ends with this process. */
export class WorkerProcess<Does extends Commands> {
  readonly #name: string;
  readonly #child: ChildProcess;

  /** @param name of the program that it runs */
  constructor(name: string) {
    this.#name = name;
    this.#child = fork(join(programDir, `${name}.js`), {
      env: serverEnvironment(),
      execArgv: [],
      serialization: 'advanced',
    });
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  /** Has it do something; one thing after the other. Rejects when that fails, or the process ends. */
  async tell<Name extends keyof Does & string>(
    name: Name,
    ...[input]: Parameters<Does[Name]>
  ): Promise<Awaited<ReturnType<Does[Name]>>> {
    const over = new AbortController();
    const { signal } = over;
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => {
      throw new Error(`The process ${this.#name} ended with code ${code}.`);
    });
    ended.catch(() => {});
    try {
      const answered = once(this.#child, 'message', { signal });
      this.#child.send({ name, input });
      const [answer] = (await Promise.race([answered, ended])) as [Answer];
      if ('error' in answer) throw new Error(`The process ${this.#name} failed to ${name}: ${answer.error}`);
      return answer.output as Awaited<ReturnType<Does[Name]>>;
    } finally {
      over.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill();
    await exit;
  }
}
