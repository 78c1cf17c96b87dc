import type { LimitStep, LoadReport } from './load-report.ts';
import type { Window } from './run-record.ts';

type Limit = NonNullable<LoadReport['limit']>;

/** By so much a rate that was carried is raised. */
const growth = 1.5;
/** So often the room between the last rate that was carried and the first that was not is halved. */
const halvings = 3;
const mostSteps = 40;
/** The least share of what was due that must have come. */
const leastShare = 0.9;
const busyShare = 0.9;
/** A loader whose event loop is late by this share of the bound measures itself. */
const lateShare = 0.5;

const endedEarly = 'The search was ended before the limit was found.';

interface Failure {
  rate: number;
  why: string;
}

export interface FindLimitOptions {
  firstRate: number;
  unit: string;
  /** The bound of the 99th percentile, in ms. */
  boundMs: number;
  /** Puts this rate on the target for a while. Undefined when the run was interrupted. */
  measure: (rate: number) => Promise<Window | undefined>;
  /** Told of each step. */
  onStep: (step: LimitStep) => void;
}

/**
 * Raises the load until the latency passes the bound or the loader can do no more, twice in a row, and then looks more closely
 * between the last load that was carried and the first that was not.
 */
export async function findLimit({ firstRate, unit, boundMs, measure, onStep }: FindLimitOptions): Promise<Limit> {
  const steps: LimitStep[] = [];
  let carried = 0;
  let failed: Failure | undefined;
  let doubted = false;
  let rate = firstRate;
  let left = halvings;
  while (steps.length < mostSteps && left > 0) {
    const window = await measure(rate);
    if (!window) break;
    const { saturated, why } = judge(window, rate, boundMs);
    const step = { rate, unit, p99: window.p99, saturated };
    steps.push(step);
    onStep(step);
    // Once may be something else on the machine, or on the network: it is tried again.
    doubted = saturated !== 'no' && !doubted;
    if (doubted) continue;
    if (saturated === 'no') carried = rate;
    else failed = { rate, why };
    if (failed && carried > 0 && steps.length > 1) left -= 1;
    rate = next(carried, failed);
    if (rate < 1) break;
  }
  return {
    steps,
    found: carried,
    because: failed ? `${failed.why} at ${Math.round(failed.rate)} ${unit}.` : endedEarly,
  };
}

function next(carried: number, failed: Failure | undefined): number {
  if (!failed) return carried * growth;
  return carried > 0 ? (carried + failed.rate) / 2 : failed.rate / 2;
}

interface Judgement {
  saturated: LimitStep['saturated'];
  /** The beginning of a sentence. */
  why: string;
}

function judge({ count, elapsedMs, p99, loader }: Window, rate: number, boundMs: number): Judgement {
  if (loader.cpu > busyShare) {
    return {
      saturated: 'loader',
      why: 'The load tester itself could do no more, and needs more --workers or machines,',
    };
  }
  if (loader.loopDelayMs > boundMs * lateShare) {
    return { saturated: 'loader', why: 'The load tester itself was too late to tell, on a machine that is too busy,' };
  }
  if (p99 > boundMs) return { saturated: 'server', why: `The p99 was ${p99.toFixed(1)} ms, more than ${boundMs} ms,` };
  const share = (count * 1000) / (rate * elapsedMs);
  if (share < leastShare) {
    return { saturated: 'server', why: `Only ${Math.round(share * 100)} % of what was due was done in time` };
  }
  return { saturated: 'no', why: '' };
}
