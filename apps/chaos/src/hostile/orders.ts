import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Tally } from './wire.ts';

const script = fileURLToPath(new URL('./attack-process.js', import.meta.url));
/** Behind the servers: where both want the processor, its time is not what is measured. */
const niceness = 19;

/** It has waited for all answers by then, or is stuck. */
const patienceMs = 30_000;

/** What an attacking process is told to do. */
export interface Orders {
  /** These attacks, all at once. */
  names: string[];
  seed: number;
  address: string;
  target: string;
  port: number;
  /** Each attack begins nothing new once it has sent so many. */
  packets: number;
  ms: number;
}

export interface Outcome extends Tally {
  /** Connections on which the node neither said anything nor ended them, though it owed something. */
  unanswered: number;
  /** What the node did and must never do. */
  breaches: string[];
}

/** Attacks, in a process of its own, which has ended when this returns. Begins nothing new once `victimEnded` settles. */
export async function attack(orders: Orders, victimEnded: Promise<unknown>): Promise<Outcome> {
  // Without the arguments of this process, some of which are for it alone.
  const child = fork(script, { execArgv: [] });
  const gone = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), orders.ms + patienceMs);
  try {
    if (child.pid !== undefined) setPriority(child.pid, niceness);
    child.send(orders);
    void victimEnded.then(() => child.connected && child.send('stop'));
    const [outcome] = (await Promise.race([once(child, 'message'), gone])) as [Outcome | number | null];
    if (outcome === null || typeof outcome === 'number') throw new Error('The attacking process ended early.');
    return outcome;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    await gone;
  }
}
