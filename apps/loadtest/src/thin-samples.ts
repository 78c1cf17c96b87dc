import type { LatencyName, Sample } from './load-report.ts';

type SecondLatency = { p50: number; p99: number; max: number };

/** So few samples that they can be drawn: each is the mean of as many seconds, and the worst of their latencies. */
export function thinSamples(samples: readonly Sample[], most: number): { samples: readonly Sample[]; seconds: number } {
  const seconds = Math.max(1, Math.ceil(samples.length / most));
  if (seconds === 1) return { samples, seconds };
  const groups = Array.from({ length: Math.ceil(samples.length / seconds) }, (_, at) =>
    samples.slice(at * seconds, (at + 1) * seconds),
  );
  return { samples: groups.map(merged), seconds };
}

function merged(group: readonly Sample[]): Sample {
  const all = (of: (sample: Sample) => number): number[] => group.map(of);
  return {
    at: Math.max(...all(({ at }) => at)),
    connected: mean(all(({ connected }) => connected)),
    paired: mean(all(({ paired }) => paired)),
    connects: mean(all(({ connects }) => connects)),
    matches: mean(all(({ matches }) => matches)),
    sent: mean(all(({ sent }) => sent)),
    delivered: mean(all(({ delivered }) => delivered)),
    errors: mean(all(({ errors }) => errors)),
    latencies: worstLatencies(group),
    loader: {
      cpu: Math.max(...all(({ loader }) => loader.cpu)),
      loopDelayMs: Math.max(...all(({ loader }) => loader.loopDelayMs)),
    },
    servers: meanServers(group),
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

function meanServers(group: readonly Sample[]): Sample['servers'] {
  const servers = group.flatMap(sample => sample.servers);
  return [...new Set(servers.map(({ name }) => name))].map(name => {
    const own = servers.filter(server => server.name === name);
    return { name, cpu: mean(own.map(({ cpu }) => cpu)), rssBytes: mean(own.map(({ rssBytes }) => rssBytes)) };
  });
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
