import type { FaultEvent } from './history.ts';
import { networkFaults } from './network-faults.ts';
import { nodeFaults } from './node-faults.ts';
import type { Random } from './random.ts';
import { recordingFaults } from './recording-faults.ts';
import { redisFaults } from './redis-faults.ts';
import type { World } from './world.ts';

/** What a fault touches, for the checker. What is left out is not touched. */
export type Touches = Partial<Pick<FaultEvent, 'halts' | 'cuts' | 'redis' | 'recording' | 'losesData'>>;

/** Does something, and writes down what it touches meanwhile. For faults that touch one node after the other. */
export type Touching = (target: string, touches: Touches, act: () => Promise<void>) => Promise<void>;

/** A fault that is about to happen. */
export interface Fault {
  /** What it is done to, for people. */
  target: string;
  touches: Touches;
  /** How long it lasts. */
  holdMs: number;
  inject(touching: Touching): Promise<void> | void;
  /** Makes all well again; resolves when what was touched works. */
  heal(): Promise<void> | void;
}

/** Draws a fault of one kind. */
export type FaultKind = (world: World, random: Random) => Fault;

/**
 * Two faults at once are never of the same group: they would undo each other, and what is healed too early would count as
 * lasting.
 */
export const faultGroups: readonly Record<string, FaultKind>[] = [
  { ...nodeFaults, ...networkFaults },
  redisFaults,
  recordingFaults,
];

export const faultKinds: Record<string, FaultKind> = Object.assign({}, ...faultGroups);
