import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withoutOrphan } from '../../../apps/cluster/src/server-process.ts';

const vite = fileURLToPath(new URL('../../../node_modules/vite/bin/vite.js', import.meta.url));

/** `npx vite <folder>`, as a developer runs it, on a free port. */
export class ViteServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  static async start(folder: string): Promise<ViteServer> {
    const child = spawn(...withoutOrphan(process.execPath, [vite, folder, '--host', '127.0.0.1', '--port', '0']), {
      env: { PATH: process.env.PATH, NO_COLOR: '1', PASSERBY_TEST_PROCESS: process.env.PASSERBY_TEST_RUN },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(child.stdout)) {
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (url) return new ViteServer(url, child);
    }
    throw new Error('Vite ended without saying where it listens.');
  }

  async stop(): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exit;
  }
}
