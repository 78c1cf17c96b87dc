import type { LatencyName, Sample } from './load-report.ts';

type SecondLatency = { p50: number; p99: number; max: number };

export interface ThinSamples {
  /** Their counts are per second. */
  readonly samples: readonly Sample[];
  /** How many of those that were taken each of these stands for; the last may stand for more or fewer. */
  readonly each: number;
}

/** What is shorter than this goes to the sample before: a rate of so little time says nothing. */
const leastMs = 500;

/**
 * So few samples that they can be drawn, with rates in place of counts: each is the mean of a number of samples, and the
 * worst of their latencies. The rest of a second before the load begins, and at the end, goes to the sample before.
 */
export function thinSamples(samples: readonly Sample[], most: number): ThinSamples {
  const each = Math.max(1, Math.ceil(samples.length / most));
  const groups: Sample[][] = [];
  for (const [at, sample] of samples.entries()) {
    const group = groups.at(-1);
    if (group && (at % each !== 0 || isRest(samples[at - 1], sample))) group.push(sample);
    else groups.push([sample]);
  }
  const merge = (group: readonly Sample[], at: number): Sample => merged(group, groups[at - 1]?.at(-1)?.at ?? 0);
  return { samples: groups.map(merge), each };
}

/** The same for each second of a run. */
export function wholeSeconds(samples: readonly Sample[]): readonly Sample[] {
  return thinSamples(samples, samples.length).samples;
}

function isRest(before: Sample | undefined, { at }: Sample): boolean {
  return before !== undefined && at - before.at < leastMs;
}

function merged(group: readonly Sample[], fromMs: number): Sample {
  const all = (of: (sample: Sample) => number): number[] => group.map(of);
  const at = Math.max(...all(sample => sample.at));
  const rate = (of: (sample: Sample) => number): number => (sum(all(of)) * 1000) / Math.max(1, at - fromMs);
  return {
    at,
    connected: mean(all(({ connected }) => connected)),
    paired: mean(all(({ paired }) => paired)),
    connects: rate(({ connects }) => connects),
    matches: rate(({ matches }) => matches),
    sent: rate(({ sent }) => sent),
    delivered: rate(({ delivered }) => delivered),
    errors: rate(({ errors }) => errors),
    latencies: worstLatencies(group),
    loader: {
      cpu: Math.max(...all(({ loader }) => loader.cpu)),
      loopDelayMs: Math.max(...all(({ loader }) => loader.loopDelayMs)),
    },
    servers: meanServers(group, fromMs),
  };
}

function worstLatencies(group: readonly Sample[]): Sample['latencies'] {
  const worst: Partial<Record<LatencyName, SecondLatency>> = {};
  for (const { latencies } of group) {
    for (const [name, { p50, p99, max }] of Object.entries(latencies) as [LatencyName, SecondLatency][]) {
      const known = worst[name] ?? { p50: 0, p99: 0, max: 0 };
      worst[name] = { p50: Math.max(p50, known.p50), p99: Math.max(p99, known.p99), max: Math.max(max, known.max) };
    }
  }
  return worst;
}

/** A rest of a second counts for as little as it is. */
function meanServers(group: readonly Sample[], fromMs: number): Sample['servers'] {
  const servers = group.flatMap((sample, at) => {
    const ms = Math.max(1, sample.at - (group[at - 1]?.at ?? fromMs));
    return sample.servers.map(server => ({ ...server, ms }));
  });
  return [...new Set(servers.map(({ name }) => name))].map(name => {
    const own = servers.filter(server => server.name === name);
    const ms = sum(own.map(server => server.ms));
    const meanOf = (quantity: 'cpu' | 'rssBytes'): number => sum(own.map(server => server[quantity] * server.ms)) / ms;
    return { name, cpu: meanOf('cpu'), rssBytes: meanOf('rssBytes') };
  });
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
