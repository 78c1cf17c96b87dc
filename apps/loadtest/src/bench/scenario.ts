import type { Row } from './row.ts';
import type { Servers } from './servers.ts';

/** What a scenario needs to measure. */
export interface Bench {
  servers: Servers;
  /** How many rounds to measure; the first, which only warms up, is not among them. */
  repeat: number;
  /** The share of the full amount of work to do, from 0 to 1. */
  scale: number;
  /** Ends the measuring: the processes are killed, and the rounds that were complete are all there is. */
  signal: AbortSignal;
  /** Tells what is going on, in a sentence. */
  say: (sentence: string) => void;
}

/** Measures, and answers with what goes into the table. Stops nothing: the servers are stopped for it. */
export type Scenario = (bench: Bench) => Promise<Row[]>;
