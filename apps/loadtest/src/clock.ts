const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** ms on the monotonic clock of this machine, which is the same in all of its processes. */
export function now(): number {
  return performance.now() + offsetMs;
}
