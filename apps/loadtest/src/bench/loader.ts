import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { serverEnvironment } from './config.ts';
import type { LoadCommands } from './load-commands.ts';

type Answer = { output: unknown } | { error: string };

/** A load process, as its parent sees it. It ends with its parent. */
export class Loader {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./load-worker.js', import.meta.url)), {
      env: serverEnvironment(),
      execArgv: [],
      serialization: 'advanced',
    });
  }

  /** Has it do something, one thing after the other. Rejects when that fails, or the process ends. */
  async tell<Name extends keyof LoadCommands>(
    name: Name,
    input: Parameters<LoadCommands[Name]>[0],
  ): Promise<Awaited<ReturnType<LoadCommands[Name]>>> {
    const abort = new AbortController();
    const { signal } = abort;
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => {
      throw new Error(`A load process ended with code ${code}.`);
    });
    ended.catch(() => {});
    try {
      const answered = once(this.#child, 'message', { signal });
      this.#child.send({ name, input });
      const [answer] = (await Promise.race([answered, ended])) as [Answer];
      if ('error' in answer) throw new Error(`A load process failed: ${answer.error}`);
      return answer.output as Awaited<ReturnType<LoadCommands[Name]>>;
    } finally {
      abort.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill();
    await exit;
  }
}
