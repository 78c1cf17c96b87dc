import { ServerProcess } from './server-process.ts';

const readyWithinMs = 30_000;
const checkTimeoutMs = 1000;

export interface AppProcessOptions {
  /** As it begins a sentence: `Chat node 1`. */
  readonly name: string;
  /** The compiled `main.js`. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where it answers `/readyz`, such as `http://127.0.0.1:3001`. */
  readonly url: string;
  readonly logFile: string;
}

/** Starts one of our own apps as a process of its own, and waits until it is ready. `started` gets the process at once. */
export async function launchApp(
  { name, script, env, url, logFile }: AppProcessOptions,
  started: (process: ServerProcess) => void,
): Promise<void> {
  const app = new ServerProcess({
    name,
    command: process.execPath,
    args: [script],
    env,
    logFile,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
  });
  started(app);
  await app.untilReady(() => isReady(url), readyWithinMs);
}

/** What the app itself says, by `/readyz`; false if it does not say anything soon. */
export async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`, { signal: AbortSignal.timeout(checkTimeoutMs) }).then(
    async response => {
      await response.arrayBuffer(); // Else the connection would stay in use.
      return response.ok;
    },
    () => false,
  );
}
