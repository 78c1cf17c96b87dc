import { stripVTControlCharacters } from 'node:util';
import type { Sample } from '../src/load-report.ts';
import { Progress, type ProgressStream } from '../src/progress.ts';
import { inventedReport } from './invented-report.ts';

const upwards = new RegExp(`^${'\\x1b'}\\[(\\d+)A`);

/** A terminal, as far as `Progress` uses it: what its screen shows in the end. */
class Screen implements ProgressStream {
  readonly isTTY = true;
  readonly rows = 24;
  columns: number;
  colors = false;
  written = '';
  #lines: string[] = [''];
  #row = 0;

  constructor(columns: number) {
    this.columns = columns;
  }

  get lines(): string[] {
    return this.#lines.map(line => stripVTControlCharacters(line)).slice(0, -1);
  }

  hasColors(): boolean {
    return this.colors;
  }

  write(text: string): void {
    this.written += text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is told with.
    for (const part of text.match(/\x1b\[\d*[AJK]|\n|\r|(?:\x1b\[\d+m|[^\x1b\n\r])+/g) ?? []) {
      const up = upwards.exec(part);
      if (up) this.#row -= Number(up[1]);
      else if (part === '\x1b[J') this.#lines = [...this.#lines.slice(0, this.#row), ''];
      else if (part === '\n') this.#row += 1;
      else if (part !== '\r' && part !== '\x1b[K') this.#lines[this.#row] = part;
    }
  }
}

const { samples, targets } = inventedReport();
const options = { scenario: 'chat', targets, durationMs: 60_000 };

describe('Progress on a terminal', () => {
  it('draws one block in place, and says what stays above it', () => {
    const screen = new Screen(80);
    const progress = new Progress({ ...options, stream: screen });
    for (const sample of samples.slice(0, 14)) progress.show(sample);
    const height = screen.lines.length; // With what is told of connecting, though nobody connects any more.
    progress.say('A sentence.');
    for (const sample of samples.slice(14, 40)) progress.show(sample);
    progress.end();
    expect(screen.lines[0]).toBe('A sentence.');
    expect(screen.lines).toHaveLength(height + 1);
    const text = screen.lines.join('\n');
    expect(text).toContain('00:40 of 01:00');
    expect(text).toMatch(/^users +connected 2,000 +paired 1,\d{3}$/m);
    expect(text).toMatch(/^delivery +p50 2\.\d ms +p99 \S+ ms +max \d+ ms$/m);
    expect(text).toMatch(/^errors +now 0 +in all 17$/m);
    expect(text).toMatch(/^connect +p50 – +p99 – +max –$/m);
    expect(text).toMatch(/^memory +\d+ MB, all servers together$/m);
    expect(text).toMatch(/^CPU +public address \d+ % +Redis \d+ % +PostgreSQL \d+ %$/m);
    expect(text).toMatch(/^ +recorder \d+ % +chat node 1 \d+ % +chat node 2 \d+ %$/m);
  });

  it.each([1, 10, 30, 79])('keeps within %i columns', columns => {
    const screen = new Screen(columns);
    const progress = new Progress({ ...options, stream: screen });
    for (const sample of samples.slice(0, 3)) progress.show(sample);
    expect(Math.max(...screen.lines.map(line => line.length))).toBeLessThan(columns);
  });

  it('draws over what a narrower terminal has wrapped', () => {
    const screen = new Screen(80);
    const progress = new Progress({ ...options, stream: screen });
    const [one, other] = samples.slice(20);
    if (!one || !other) throw new Error('There are samples.');
    progress.show(one);
    const wrapped = screen.lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / 40)), 0);
    screen.columns = 40;
    screen.written = '';
    progress.show(other);
    expect(wrapped).toBeGreaterThan(screen.lines.length);
    expect(upwards.exec(screen.written)?.[1]).toBe(String(wrapped));
  });

  it('uses colours only where the terminal has them', () => {
    const [sample] = samples;
    if (!sample) throw new Error('There are samples.');
    for (const colors of [false, true]) {
      const screen = new Screen(80);
      screen.colors = colors;
      new Progress({ ...options, stream: screen }).show(sample);
      expect(screen.written.includes('\x1b[1m')).toBe(colors);
    }
  });

  it('lets nothing from elsewhere move the cursor', () => {
    const screen = new Screen(80);
    const [sample] = samples;
    if (!sample) throw new Error('There are samples.');
    const servers = [{ name: '\x1b[2Jevil', cpu: 1, rssBytes: 1 }];
    new Progress({ ...options, targets: ['http://x/\x1b[9A'], stream: screen }).show({ ...sample, servers });
    expect(screen.written).not.toContain('\x1b[2J');
    expect(screen.written).not.toContain('\x1b[9A');
  });
});

describe('Progress elsewhere', () => {
  it('writes a plain line every few seconds, with the worst latencies since the last', () => {
    let written = '';
    const stream = { write: (text: string) => (written += text) };
    const progress = new Progress({ ...options, stream });
    const rest = { ...samples[42], at: 42_100 } as Sample;
    for (const sample of [...samples.slice(30, 42), rest]) progress.show(sample);
    progress.say('A sentence.');
    progress.end();
    expect(written).not.toContain('\x1b');
    const lines = written.trimEnd().split('\n');
    expect(lines.map(line => line.slice(0, 5))).toEqual(['00:35', '00:40', '00:42', 'A sen']);
    const worst = Math.max(...samples.slice(35, 40).map(({ latencies }) => latencies.delivery?.p99 ?? 0));
    expect(lines[1]).toContain(`p99 ${Math.round(worst)} ms`);
    expect(lines[1]).toContain('15 errors');
    expect(lines[0]).toContain('0 errors');
  });
});
