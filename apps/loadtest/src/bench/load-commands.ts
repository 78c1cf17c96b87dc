import type { Pairing } from './pair-of-clients.ts';

/** What a load process can be told to do. */
export interface LoadCommands {
  /** Connects pairs, one client of each to the first port and the other to the second. */
  connectPairs(input: { ports: [number, number]; count: number; pairing: Pairing }): Promise<void>;
  /**
   * All pairs play ping-pong, so that as many messages are in flight as there are pairs, until about `messages` have arrived.
   * Rejects when one is lost, doubled, out of order, or goes to someone else. `loaderCpu`: the CPU that this process used, in cores.
   */
  play(input: { messages: number }): Promise<{ messages: number; seconds: number; loaderCpu: number }>;
  closePairs(input: undefined): Promise<void>;
}
