import { stripVTControlCharacters, styleText } from 'node:util';
import { formatBytes, formatClock, formatCount, formatMs, formatShare, printable } from './format.ts';
import type { LatencyName, Sample } from './load-report.ts';

/** A plain line for so many samples. */
const plainEach = 5;
/** Less than this says nothing by itself. */
const leastMs = 500;
const labelWidth = 12;
const widest = 100;
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** Where progress goes: standard output, or a stream like it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly scenario: string;
  readonly targets: readonly string[];
  /** How long the run will take; undefined if nobody knows. */
  readonly durationMs?: number | undefined;
  /** Default: standard output. */
  readonly stream?: ProgressStream;
}

type Style = 'dim' | 'bold' | 'cyan' | 'red';

/**
 * Tells how a run goes: on a terminal as a block that is drawn anew with each sample, elsewhere as a plain line every few
 * seconds. Colours only where the terminal has them and NO_COLOR is not set.
 */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #stream: ProgressStream;
  /** Widths of the lines that are on the screen now. */
  #drawn: number[] = [];
  #block: string[] = [];
  #errors = 0;
  #unsaid: Sample[] = [];
  /** When the last sample was that has been shown. */
  #shownAt = 0;
  readonly #latencies = new Set<LatencyName>();

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#stream = options.stream ?? process.stdout;
  }

  /** A second has passed. */
  show(sample: Sample): void {
    this.#errors += sample.errors;
    if (!this.#isLive()) {
      this.#unsaid.push(sample);
      if (this.#unsaid.length >= plainEach) this.#sayUnsaid();
      return;
    }
    // Of so short a time there is nothing to be seen.
    if (this.#block.length > 0 && sample.at - this.#shownAt < leastMs) {
      this.#shownAt = sample.at;
      return;
    }
    this.#block = this.#draw(sample);
    this.#shownAt = sample.at;
    this.#write(this.#block);
  }

  /** Says something that stays. */
  say(sentence: string): void {
    if (!this.#isLive()) {
      this.#sayUnsaid();
      this.#stream.write(`${sentence}\n`);
      return;
    }
    this.#write([]);
    this.#stream.write(`${sentence}\n`);
    this.#write(this.#block);
  }

  /** The run is over. What is on the screen stays there. */
  end(): void {
    this.#sayUnsaid();
    this.#drawn = [];
    this.#block = [];
  }

  /** A terminal that does not tell its width (some containers have one) cannot be drawn on. */
  #isLive(): boolean {
    return this.#stream.isTTY === true && (this.#stream.columns ?? 0) > 0;
  }

  /** Puts lines in place of those that are on the screen. */
  #write(lines: readonly string[]): void {
    const { columns = 80 } = this.#stream;
    // The terminal may have become narrower meanwhile, and have wrapped them.
    const height = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    const up = height > 0 ? `\x1b[${height}A` : '';
    this.#stream.write(`${up}\r${lines.map(line => `${line}${clearLine}\n`).join('')}${clearBelow}`);
    this.#drawn = lines.map(line => stripVTControlCharacters(line).length);
  }

  #draw(sample: Sample): string[] {
    const { scenario, targets } = this.#options;
    const room = Math.min(this.#stream.columns ?? 80, widest) - 1;
    const line = (label: string, text: string, style?: Style): string => {
      const rest = cut(text, room - labelWidth);
      return this.#style('dim', cut(label.padEnd(labelWidth), room)) + (style ? this.#style(style, rest) : rest);
    };
    const { connected, paired, matches, sent, delivered, errors, latencies, loader, servers } = sample;
    const memory = servers.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
    // A row stays when there is nothing to tell for a while: what jumps is hard to read.
    for (const [name] of latencyEntries(latencies)) this.#latencies.add(name);
    const rate = (count: number): string => perSecond(count, sample.at - this.#shownAt);
    const lines = [
      this.#style('bold', cut(`${printable(scenario)}  ${targets.map(printable).join(', ')}`, room)),
      this.#bar(sample.at, room),
      line('users', figures({ connected: formatCount(connected), paired: formatCount(paired) })),
      line('per second', figures({ matches: rate(matches), sent: rate(sent), delivered: rate(delivered) })),
      ...[...this.#latencies].map(name => line(name, latencyFigures(latencies[name]))),
      line(
        'errors',
        figures({ now: formatCount(errors), 'in all': formatCount(this.#errors) }),
        this.#errors > 0 ? 'red' : undefined,
      ),
      line(
        'load tester',
        `${formatShare(loader.cpu)} of a core at its busiest process`,
        loader.cpu > 0.9 ? 'red' : undefined,
      ),
      ...(servers.length > 0 ? [line('memory', `${formatBytes(memory)}, all servers together`)] : []),
      ...wrapped(
        servers.map(({ name, cpu }) => `${printable(name)} ${formatShare(cpu)}`),
        room - labelWidth,
      ).map((row, at) => line(at === 0 ? 'CPU' : '', row)),
    ];
    // What does not fit on the screen could not be drawn over.
    return lines.slice(0, Math.max(1, (this.#stream.rows ?? 24) - 1));
  }

  #bar(at: number, room: number): string {
    const { durationMs } = this.#options;
    if (durationMs === undefined) return formatClock(at);
    const times = `${formatClock(at)} of ${formatClock(durationMs)}`;
    const width = Math.max(0, room - times.length - 2);
    const done = Math.round(width * Math.min(1, at / durationMs));
    return cut(`${'━'.repeat(done)}${'─'.repeat(width - done)}  ${times}`, room).replace(/^━+/, full =>
      this.#style('cyan', full),
    );
  }

  #style(style: Style, text: string): string {
    return this.#stream.hasColors?.() ? styleText(style, text, { validateStream: false }) : text;
  }

  #sayUnsaid(): void {
    const last = this.#unsaid.at(-1);
    if (last && last.at - this.#shownAt >= leastMs) {
      this.#stream.write(`${plainLine(this.#unsaid, last, this.#shownAt)}\n`);
      this.#shownAt = last.at;
    }
    this.#unsaid = [];
  }
}

/** Rates are the mean of the seconds, latencies their worst. */
function plainLine(samples: readonly Sample[], last: Sample, fromMs: number): string {
  const rate = (name: 'matches' | 'sent' | 'delivered'): string =>
    perSecond(
      samples.reduce((sum, sample) => sum + sample[name], 0),
      last.at - fromMs,
    );
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  const names = new Set(samples.flatMap(({ latencies }) => latencyEntries(latencies).map(([name]) => name)));
  const worst = [...names].map(name => {
    const of = (quantile: 'p50' | 'p99'): number =>
      samples.reduce((most, { latencies }) => Math.max(most, latencies[name]?.[quantile] ?? 0), 0);
    return `${name} p50 ${formatMs(of('p50'))}, p99 ${formatMs(of('p99'))}`;
  });
  return [
    `${formatClock(last.at)}  ${formatCount(last.connected)} connected, ${formatCount(last.paired)} paired`,
    `per second ${rate('matches')} matches, ${rate('sent')} sent, ${rate('delivered')} delivered`,
    ...worst,
    `${formatCount(errors)} errors`,
  ].join('; ');
}

function perSecond(count: number, elapsedMs: number): string {
  return formatCount((count * 1000) / Math.max(1, elapsedMs));
}

function latencyEntries(latencies: Sample['latencies']): [LatencyName, { p50: number; p99: number; max: number }][] {
  return Object.entries(latencies) as [LatencyName, { p50: number; p99: number; max: number }][];
}

function latencyFigures(latency: { p50: number; p99: number; max: number } | undefined): string {
  const figure = (ms: number | undefined): string => (ms === undefined ? '–' : formatMs(ms));
  return figures({ p50: figure(latency?.p50), p99: figure(latency?.p99), max: figure(latency?.max) });
}

/** As many in each row as fit, below each other. */
function wrapped(cells: readonly string[], width: number): string[] {
  const cellWidth = Math.max(18, ...cells.map(cell => cell.length + 2));
  const each = Math.max(1, Math.floor((width + 2) / cellWidth));
  return Array.from({ length: Math.ceil(cells.length / each) }, (_, at) =>
    cells
      .slice(at * each, (at + 1) * each)
      .map(cell => cell.padEnd(cellWidth))
      .join('')
      .trimEnd(),
  );
}

/** In columns, so that the eye finds each in its place. */
function figures(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`.padEnd(18))
    .join('')
    .trimEnd();
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}${width > 0 ? '…' : ''}`;
}
