import { maxSeq } from '@passerby/protocol';

/** A client that goes on from an older state is not further behind than this many messages: it is saved at each change. */
const maxBehind = 10_000;

/** Whether the partner, who says that this side is behind, can have come to number `told` since this side was at `known`. */
export function isBelievable(told: number, known: number): boolean {
  return told <= Math.min(known + maxBehind, maxSeq);
}
