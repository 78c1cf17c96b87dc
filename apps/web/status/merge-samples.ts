import type { Sample } from './report.ts';

const keptMs = 10 * 60_000;

/** Puts samples together, oldest first. Another node may answer each time, with samples that it took at other moments. */
export function mergeSamples(known: Sample[], more: Sample[]): Sample[] {
  const last = known.at(-1)?.at ?? 0;
  const all = [...known, ...more.filter(({ at }) => at > last)];
  const newest = all.at(-1)?.at ?? 0;
  return all.filter(({ at }) => newest - at < keptMs);
}
