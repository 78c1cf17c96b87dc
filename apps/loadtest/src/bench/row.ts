import { spreadOf } from './spread.ts';

/** A line of the table. Lists of values have one for each round, in the order of the rounds. */
export interface Row {
  what: string;
  unit: string;
  /** What was measured of Passerby, or of what `what` names in its place. */
  ours: number[];
  /** The same of what it is compared with. */
  other?: { name: string; values: number[] };
  goal?: Goal;
}

/** A bound for the median of our values, or of their ratios to the other's, each of one round. */
export interface Goal {
  of: 'ours' | 'ratio';
  atMost?: number;
  atLeast?: number;
}

/** Our values by those of what they are compared with; empty when there is nothing to compare with. */
export function ratiosOf({ ours, other }: Row): number[] {
  return other ? ours.map((value, round) => value / (other.values[round] ?? Number.NaN)) : [];
}

/** Whether the goal is met; undefined for a row without one. */
export function isMet(row: Row): boolean | undefined {
  if (!row.goal) return undefined;
  const { of, atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = row.goal;
  const { median } = spreadOf(of === 'ours' ? row.ours : ratiosOf(row));
  return median <= atMost && median >= atLeast;
}
