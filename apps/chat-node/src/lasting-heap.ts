import { once } from 'node:events';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

const megabyte = 1024 * 1024;
const probeMegabytes = 61;
/** Of a limit for all of the heap (`--max-heap-size`) V8 takes less than this for what is young. */
const youngShare = 0.05;

/**
 * How much of the heap can hold what lasts, in bytes. V8 counts into its limit what only new objects may take, which depends on
 * its version, its flags and the memory of the machine, and which it does not tell. A thread for which the rest is known does.
 */
export async function lastingHeapBytes(): Promise<number> {
  const limit = getHeapStatistics().heap_size_limit;
  // A flag would outweigh what the thread is given.
  setFlagsFromString('--max-old-space-size=0');
  const probe = new Worker(
    "require('node:worker_threads').parentPort.postMessage(require('node:v8').getHeapStatistics().heap_size_limit)",
    { eval: true, execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: probeMegabytes } },
  );
  const [probeLimit] = (await once(probe, 'message')) as [number];
  await probe.terminate();
  const youngBytes = probeLimit === limit ? limit * youngShare : probeLimit - probeMegabytes * megabyte;
  const bytes = limit - youngBytes;
  setFlagsFromString(`--max-old-space-size=${Math.round(bytes / megabyte)}`);
  return bytes;
}
