import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { LoaderCommands } from './loader-commands.ts';

type Reply<Name extends keyof LoaderCommands> = Awaited<ReturnType<LoaderCommands[Name]>>;

const entry = new URL('./worker-main.js', import.meta.url);

/** A worker ended in the middle of the run. */
export class LoaderDied extends Error {}

/** The worker processes. They end with this one. */
export class Loaders {
  /** Rejects with {@link LoaderDied} when one of them ends before `stop`; never resolves. */
  readonly died: Promise<never>;
  readonly #processes: ChildProcess[] = [];
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #asked = 0;
  #stopping = false;

  constructor(count: number) {
    this.died = new Promise((_resolve, reject) => {
      for (let index = 0; index < count; index++) {
        const child = fork(entry, {
          serialization: 'advanced',
          execArgv: [],
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        });
        child.on('message', ({ id, result }: { id: number; result: unknown }) => {
          this.#waiting.get(id)?.(result);
          this.#waiting.delete(id);
        });
        child.on('error', error => reject(error));
        child.on('exit', (code, signal) => {
          if (this.#stopping) return;
          const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
          reject(
            new LoaderDied(
              `Worker ${index + 1} of the load tester ${how}. What it had counted is lost: the run is void.`,
            ),
          );
        });
        this.#processes.push(child);
      }
    });
    // It is told to whoever waits for an answer.
    this.died.catch(() => undefined);
  }

  /** Asks all of them, and resolves with all answers. Rejects with {@link LoaderDied}. */
  ask<Name extends keyof LoaderCommands>(
    name: Name,
    argsOf: (index: number) => Parameters<LoaderCommands[Name]>,
  ): Promise<Reply<Name>[]> {
    const answers = this.#processes.map(
      (child, index) =>
        new Promise<Reply<Name>>(resolve => {
          this.#asked += 1;
          this.#waiting.set(this.#asked, result => resolve(result as Reply<Name>));
          // One that cannot be reached has died, which is told elsewhere.
          child.send({ id: this.#asked, name, args: argsOf(index) }, () => undefined);
        }),
    );
    return Promise.race([Promise.all(answers), this.died]);
  }

  /** Ends them. Resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#processes.map(async child => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, 'exit');
        if (child.connected) child.disconnect();
        await exit;
      }),
    );
  }
}
