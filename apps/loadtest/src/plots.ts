import { formatBytes, formatClock, formatCount, formatMs, formatShare } from './format.ts';
import type { LatencyName, LoadReport, Sample } from './load-report.ts';
import { thinSamples } from './thin-samples.ts';
import { linearScale, logScale, type Scale, timeScale } from './ticks.ts';

/** Colours of the page, by what they stand for. */
export type Tone = 'blue' | 'brick' | 'green' | 'ochre' | 'purple' | 'grey';

export interface Series {
  readonly name: string;
  /** What is written at the end of its line; series with the same label share one. Default: the name. */
  readonly label?: string;
  readonly tone: Tone;
  /** One for each x; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
  readonly drawn?: 'line' | 'area' | 'points';
}

/** Something to see over time, or over load. */
export interface Plot {
  readonly title: string;
  /** What the numbers are: a few words. */
  readonly about: string;
  /** Plots over the same axis are read together. */
  readonly axis: 'time' | 'load';
  readonly xName: string;
  readonly xs: readonly number[];
  readonly xScale: Scale;
  readonly formatX: (x: number) => string;
  readonly yScale: Scale;
  readonly formatY: (y: number) => string;
  readonly series: readonly Series[];
  /** A place on the x axis to point at. */
  readonly mark?: { readonly x: number; readonly label: string };
}

const latencyTitles: readonly (readonly [name: LatencyName, title: string, about: string])[] = [
  ['delivery', 'Delivery', 'from sending to the partner’s seeing'],
  ['match', 'Match wait', 'from search to matched'],
  ['connect', 'Connecting', 'until the connection is accepted'],
  ['reconnect', 'Reconnecting', 'until a user who was cut off is back'],
];

/** What the page shows of a run, with at most so many points on each line. */
export function plots(report: LoadReport, mostPoints: number): Plot[] {
  const { samples } = thinSamples(report.samples, mostPoints);
  if (samples.length === 0) return limitPlot(report);
  const xs = samples.map(({ at }) => at);
  const time = {
    axis: 'time' as const,
    xName: 'time',
    xs,
    xScale: timeScale(Math.min(0, ...xs), Math.max(...xs)),
    formatX: formatClock,
  };
  const line = (name: string, tone: Tone, of: (sample: Sample) => number | undefined): Series => ({
    name,
    tone,
    values: samples.map(of),
  });
  const linear = (words: Pick<Plot, 'title' | 'about'>, formatY: Plot['formatY'], series: readonly Series[]): Plot => ({
    ...words,
    ...time,
    formatY,
    series,
    yScale: linearScale(defined(series), 4),
  });
  const seen = ({ series }: Plot): boolean => defined(series).some(value => value > 0);
  const messages = linear({ title: 'Messages', about: 'per second' }, formatCount, [
    line('sent', 'grey', ({ sent }) => sent),
    { ...line('delivered', 'blue', ({ delivered }) => delivered), drawn: 'area' },
  ]);
  const matches = linear({ title: 'Matches', about: 'per second' }, formatCount, [
    { ...line('matches', 'green', sample => sample.matches), drawn: 'area' },
  ]);
  const connects = linear({ title: 'Connects', about: 'per second' }, formatCount, [
    { ...line('connects', 'purple', sample => sample.connects), drawn: 'area' },
  ]);
  const latencies = latencyTitles.map(([name, title, about]): Plot => {
    const series = [
      line('p50', 'green', ({ latencies }) => latencies[name]?.p50),
      line('p99', 'blue', ({ latencies }) => latencies[name]?.p99),
      line('max', 'grey', ({ latencies }) => latencies[name]?.max),
    ];
    const words = { title, about: `${about}, on a logarithmic scale` };
    return { ...words, ...time, formatY: formatMs, series, yScale: logScale(defined(series)) };
  });
  const [delivery, ...otherLatencies] = latencies;
  return [
    ...limitPlot(report),
    ...[messages, ...(delivery ? [delivery] : []), matches, ...otherLatencies, connects].filter(seen),
    linear({ title: 'Users', about: 'at the end of each second' }, formatCount, [
      { ...line('connected', 'grey', ({ connected }) => connected), drawn: 'area' },
      line('paired', 'blue', ({ paired }) => paired),
    ]),
    linear({ title: 'Errors', about: 'per second' }, formatCount, [
      { ...line('errors', 'brick', ({ errors }) => errors), drawn: 'area' },
    ]),
    linear({ title: 'CPU of the servers', about: 'share of one core' }, formatShare, serverSeries(samples, 'cpu')),
    linear({ title: 'Memory of the servers', about: 'resident' }, formatBytes, serverSeries(samples, 'rssBytes')),
    linear({ title: 'CPU of the load tester', about: 'its busiest process, share of one core' }, formatShare, [
      line('load tester', 'ochre', ({ loader }) => loader.cpu),
    ]),
    linear({ title: 'Lateness of the load tester', about: 'of its event loop, p99' }, formatMs, [
      line('load tester', 'ochre', ({ loader }) => loader.loopDelayMs),
    ]),
  ].filter(({ series }) => series.length > 0);
}

function limitPlot({ limit }: LoadReport): Plot[] {
  if (limit === undefined || limit.steps.length === 0) return [];
  const steps = limit.steps.toSorted((one, other) => one.rate - other.rate);
  const unit = steps[0]?.unit ?? '';
  const points = (name: string, tone: Tone, saturated: (typeof steps)[number]['saturated']): Series => ({
    name,
    tone,
    drawn: 'points',
    values: steps.map(step => (step.saturated === saturated ? step.p99 : undefined)),
  });
  const all = [
    points('carried', 'blue', 'no'),
    points('server at limit', 'brick', 'server'),
    points('tester at limit', 'ochre', 'loader'),
  ];
  const series = all.filter(({ values }) => values.some(value => value !== undefined));
  return [
    {
      title: 'The limit',
      about: `p99 in each step of the search, against ${unit}`,
      axis: 'load',
      xName: unit,
      xs: steps.map(({ rate }) => rate),
      xScale: linearScale(steps.map(({ rate }) => rate)),
      formatX: formatCount,
      yScale: logScale(defined(series)),
      formatY: formatMs,
      series,
      mark: { x: limit.found, label: `limit ${formatCount(limit.found)}` },
    },
  ];
}

/** All chat nodes look alike, so that one which differs from the others can be seen. */
function serverSeries(samples: readonly Sample[], quantity: 'cpu' | 'rssBytes'): Series[] {
  const names = [...new Set(samples.flatMap(({ servers }) => servers.map(({ name }) => name)))];
  const nodes = names.filter(name => name.startsWith('chat node '));
  const tones: Readonly<Record<string, Tone>> = {
    Redis: 'brick',
    PostgreSQL: 'green',
    recorder: 'ochre',
    'public address': 'purple',
  };
  return names.map(name => ({
    name,
    ...(nodes.length > 1 && nodes.includes(name) && { label: `${nodes.length} chat nodes` }),
    tone: nodes.includes(name) ? 'blue' : ((Object.hasOwn(tones, name) ? tones[name] : undefined) ?? 'grey'),
    values: samples.map(({ servers }) => servers.find(server => server.name === name)?.[quantity]),
  }));
}

function defined(series: readonly Series[]): number[] {
  return series.flatMap(({ values }) => values.filter(value => value !== undefined));
}
