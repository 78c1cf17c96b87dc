import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const sampleEveryMs = 100;
/** An address of which nobody else has used up what it may ask for. */
const ownAddress = '127.0.98.1';
const answersWithinMs = 10_000;

export interface Memory {
  /** Living objects and what they hold outside the heap, after a collection of garbage. */
  keptBytes: number;
  rssBytes: number;
}

/** What Linux and the node itself tell of its process. */
export class NodeGauge {
  /** The highest since it was last set. */
  rssPeakBytes = 0;
  readonly #pid: number;
  readonly #url: string;
  readonly #timer: NodeJS.Timeout;
  #cpuMs = 0;

  constructor(pid: number, url: string) {
    this.#pid = pid;
    this.#url = url;
    this.#timer = setInterval(() => {
      this.cpuMs();
      const [, kB = 0] = /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`)) ?? [];
      this.rssPeakBytes = Math.max(this.rssPeakBytes, Number(kB) * 1024);
    }, sampleEveryMs);
  }

  /** CPU time that it has used since it began, with all its threads, in ms. After its end, what was known last. */
  cpuMs(): number {
    let ns = 0;
    // The kernel counts this in ns; /proc/<pid>/stat has the same in steps of 10 ms.
    for (const thread of list(`/proc/${this.#pid}/task`)) {
      ns += Number(read(`/proc/${this.#pid}/task/${thread}/schedstat`).split(' ', 1)[0]);
    }
    this.#cpuMs = Math.max(this.#cpuMs, ns / 1e6);
    return this.#cpuMs;
  }

  /** Collects garbage in it, and asks it. Undefined when it does not answer. */
  async memory(): Promise<Memory | undefined> {
    try {
      process.kill(this.#pid, 'SIGUSR2');
      // The first answer may be under way before the signal is looked at.
      await this.#metrics();
      const metrics = await this.#metrics();
      const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
      const keptBytes = value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes');
      return { keptBytes, rssBytes: value('process_resident_memory_bytes') };
    } catch {
      return undefined;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #metrics(): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { localAddress: ownAddress, agent: false, signal: AbortSignal.timeout(answersWithinMs) };
      const asking = request(`${this.#url}/metrics`, options, response => void text(response).then(resolve, reject));
      asking.on('error', reject);
      asking.end();
    });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It has ended.
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
