import { createHash } from 'node:crypto';
import { htmlReport } from '../src/html-report.ts';
import type { LoadReport } from '../src/load-report.ts';
import { inventedLimitReport, inventedReport } from './invented-report.ts';

const hostile = `</script><script>alert(1)</script>"><img src=x onerror=alert(1)>'&`;

/** What a plot says to who cannot see it. */
function inWords(page: string, title: string): string {
  return /aria-label="([^"]+)"/.exec(figure(page, title))?.[1] ?? '';
}

/** The part of the page that belongs to one plot. */
function figure(page: string, title: string): string {
  const found = page.split('<figure').find(part => part.includes(`<h3>${title}</h3>`));
  if (found === undefined) throw new Error(`No plot is called ${title}.`);
  return found.slice(0, found.indexOf('</figure>'));
}

describe('htmlReport', () => {
  const page = htmlReport(inventedReport());

  it('loads nothing from anywhere', () => {
    expect(page).not.toMatch(/\b(src|href|action|poster|data)\s*=/i);
    expect(page).not.toMatch(/@import|url\(|<(link|iframe|object|base)\b|\b(fetch|import|XMLHttpRequest|WebSocket)\b/i);
    expect(page).toContain("default-src 'none'");
  });

  it.each([
    ['Messages', 'delivered'],
    ['Delivery', 'p99'],
    ['Match wait', 'p99'],
    ['Connecting', 'p50'],
    ['Connects', '200'],
    ['Users', '2,000'],
    ['Errors', '15'],
    ['CPU of the servers', 'Redis'],
    ['Memory of the servers', 'PostgreSQL'],
    ['CPU of the load tester', 'load tester'],
  ])('draws %s, and tells its numbers', (title, text) => {
    const plot = figure(page, title);
    expect(plot.match(/<path class="line[^"]*" d="[^"]{0,9}/)?.[0]).toMatch(/d="M[\d.]+ /);
    expect(inWords(page, title)).toMatch(/: from .+ to .+, at the end .+\.$/);
    const table = plot.slice(plot.indexOf('<table>'), plot.indexOf('</table>'));
    expect(table.split('<th scope="row">').length).toBeGreaterThan(20);
    expect(plot.includes(text)).toBe(true);
  });

  it('draws p99 against load when the limit was searched for', () => {
    const plot = figure(htmlReport(inventedLimitReport()), 'The limit');
    expect(plot).toContain('limit 10,500');
    expect(plot).toContain('<th scope="row">16,000</th><td>–</td><td>2.4 s</td>');
    expect(plot).toContain('server at limit');
    expect(page).not.toContain('The limit');
  });

  it('says whether the run passed, and shows mismatches', () => {
    expect(page).toMatch(/<strong>Passed: [\d,]+ messages arrived, each in the right chat/);
    const failed = htmlReport({ ...inventedReport(), mismatches: { 'wrong chat': 2 } });
    expect(failed).toContain('<strong>Failed: 2 mismatches: 2 × wrong chat.</strong>');
    expect(failed).toContain('<tr><th scope="row">wrong chat</th><td>2</td></tr>');
  });

  it('escapes everything that comes from elsewhere', () => {
    const report = inventedReport({ seconds: 3 });
    const evil: LoadReport = {
      ...report,
      scenario: hostile,
      targets: [hostile],
      options: { [hostile]: hostile },
      startedAt: hostile,
      errors: { [hostile]: 1 },
      mismatches: { [hostile]: 1 },
      limit: { steps: [{ rate: 1, unit: hostile, p99: 1, saturated: 'no' }], found: 1, because: hostile },
      samples: report.samples.map(sample => ({ ...sample, servers: [{ name: hostile, cpu: 1, rssBytes: 1 }] })),
    };
    const tame = { ...evil, scenario: 'x', targets: ['x'], options: { x: 'x' }, startedAt: 'x', errors: { x: 1 } };
    const hostilePage = htmlReport(evil);
    expect(hostilePage).not.toContain('<img');
    expect(hostilePage).not.toContain('<script>alert');
    const scripts = (text: string): number => text.split('</script>').length;
    expect(scripts(hostilePage)).toBe(scripts(htmlReport(tame)));
    for (const [, json = ''] of hostilePage.matchAll(/<script type="application\/json">(.*?)<\/script>/g)) {
      expect(() => JSON.parse(json)).not.toThrow();
    }
  });

  it('stays small when the run was long, and keeps its worst moments', () => {
    const report = inventedReport({ seconds: 4000, nodes: 8 });
    const long = htmlReport(report);
    expect(long.length).toBeLessThan(2_000_000);
    expect(long).toContain('Each point stands for 10 seconds');
    const worst = report.samples.reduce((most, { latencies }) => Math.max(most, latencies.delivery?.max ?? 0), 0);
    expect(inWords(long, 'Delivery')).toContain(`to ${Math.round(worst)} ms, at the end`);
  });

  it('counts the rest of a second at the end to the second before', () => {
    const { samples, ...report } = inventedReport();
    const last = samples.at(-1);
    if (!last) throw new Error('There are samples.');
    const rest = { ...last, at: last.at + 100, sent: Math.round(last.sent / 10) };
    const sent = (all: typeof samples) =>
      /sent: from .*? at the end (\d,\d+)/.exec(inWords(htmlReport({ ...report, samples: all }), 'Messages'))?.[1];
    expect(sent([...samples, rest])).toBe(sent(samples));
  });

  it('can show a run in which nothing happened', () => {
    const { latencies: _, ...report } = inventedReport({ seconds: 0 });
    const totals = { connects: 0, matches: 0, sent: 0, delivered: 0, disconnects: 0 };
    const empty = htmlReport({ ...report, totals, latencies: {}, errors: {}, durationMs: 0 });
    expect(empty).toContain('Failed: nobody could connect.');
    expect(empty).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('allows its own script and no other', () => {
    const [, script = ''] = /<script>(.*)<\/script>/s.exec(page) ?? [];
    const hash = createHash('sha256').update(script).digest('base64');
    expect(page).toContain(`script-src 'sha256-${hash}'`);
  });
});
