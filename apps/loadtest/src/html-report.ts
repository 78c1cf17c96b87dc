import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { formatBytes, formatClock, formatCount, formatMs, formatShare } from './format.ts';
import { Html, html } from './html.ts';
import { loadRates } from './load-rates.ts';
import type { LoadReport } from './load-report.ts';
import { plotFigure } from './plot-figure.ts';
import { plots } from './plots.ts';
import { serverTotals } from './server-totals.ts';
import { thinSamples } from './thin-samples.ts';
import { total, verdict } from './verdict.ts';

/** More could not be told apart on a screen. */
const mostPoints = 400;
/** So many rows one still reads. */
const mostRows = 40;

/**
 * The page that shows a run: one HTML file that loads nothing from anywhere, opens from a disk, and can be read without
 * its script too. Everything in the report is escaped; the page's own policy allows no other script.
 */
export function htmlReport(report: LoadReport): string {
  const css = new Html(asset('report.css'));
  const script = new Html(asset('report.js'));
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${sha256(script.text)}'`;
  const title = `Load test: ${report.scenario}`;
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${css}</style>
<body>
<main>
${heading(report)}
${tiles(report)}
${figures(report)}
${tables(report)}
</main>
<script>${script}</script>
</body>
</html>
`.text;
}

function heading(report: LoadReport): Html {
  const { scenario, targets, startedAt, durationMs, load } = report;
  const { passed, sentences } = verdict(report);
  const [first, ...others] = sentences;
  return html`<header>
<h1>Load test: ${scenario}</h1>
<p class="where">${targets.join(', ')}<br>
<time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>, ${formatClock(durationMs)} long${load && `, ${formatClock(load.to - load.from)} of it under load`}</p>
<div class="verdict ${passed ? 'passed' : 'failed'}"><p><strong>${first}</strong></p>${others.map(text => html`<p>${text}</p>`)}</div>
</header>`;
}

function tiles(report: LoadReport): Html {
  const { totals, latencies, samples, errors, mismatches } = report;
  const users = Math.max(0, ...samples.map(({ connected }) => connected));
  const rates = loadRates(report);
  const { delivery, match } = latencies;
  const count = (name: string, of: 'delivered' | 'matches'): [string, string, string][] => {
    const rate = rates[of];
    if (totals[of] === 0) return [];
    return [rate === undefined ? [name, formatCount(totals[of]), 'in all'] : [name, formatCount(rate), 'per second']];
  };
  const shown: [name: string, value: string, about: string][] = [
    ['users', formatCount(users), 'connected at most'],
    ...count('messages', 'delivered'),
    ...(delivery ? [tile('delivery', formatMs(delivery.p99), `p99, median ${formatMs(delivery.p50)}`)] : []),
    ...count('matches', 'matches'),
    ...(match ? [tile('match wait', formatMs(match.p99), `p99, median ${formatMs(match.p50)}`)] : []),
    ['errors', formatCount(total(errors)), 'in all'],
    ['mismatches', formatCount(total(mismatches)), 'in all'],
  ];
  return html`<dl class="tiles">${shown.map(
    ([name, value, about]) => html`<div><dt>${name}</dt><dd><b>${value}</b> ${about}</dd></div>
`,
  )}</dl>`;
}

function tile(name: string, value: string, about: string): [string, string, string] {
  return [name, value, about];
}

function figures(report: LoadReport): Html {
  const fine = plots(report, mostPoints);
  const coarse = plots(report, mostRows);
  const { each } = thinSamples(report.samples, mostPoints);
  const note =
    each > 1
      ? `Each point stands for ${each} seconds: the mean of their counts, and the worst of their latencies.`
      : '';
  return html`<section><h2>Over the run</h2><p class="note">${note}</p><div class="plots">
${fine.map((plot, index) => plotFigure(plot, coarse[index] ?? plot))}
</div></section>`;
}

function tables(report: LoadReport): Html {
  const { totals, latencies, errors, mismatches, options, limit } = report;
  const rates = loadRates(report);
  const perSecond = (name: string): string => (rates[name] === undefined ? '–' : formatCount(rates[name]));
  const counted = (counts: Readonly<Record<string, number>>): string[][] => {
    const rows = Object.entries(counts).filter(([, count]) => count > 0);
    return rows.length > 0 ? rows.map(([kind, count]) => [kind, formatCount(count)]) : [['none', '0']];
  };
  return html`<section><h2>In numbers</h2><div class="tables">
${table(
  'Totals',
  ['', 'in all', 'per second under load'],
  Object.entries(totals).map(([name, count]) => [name, formatCount(count), perSecond(name)]),
)}
${table(
  'Latencies',
  ['', 'count', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max'],
  Object.entries(latencies).map(([name, { count, mean, p50, p90, p99, p999, max }]) => [
    ...[name, formatCount(count)],
    ...[mean, p50, p90, p99, p999, max].map(formatMs),
  ]),
)}
${table('Errors', ['code', 'count'], counted(errors))}
${table('Mismatches', ['kind', 'count'], counted(mismatches))}
${table(
  'Servers on this machine',
  ['', 'CPU, mean', 'CPU, peak', 'memory, peak'],
  serverTotals(report).map(({ name, meanCpu, peakCpu, peakBytes }) => [
    ...[name, formatShare(meanCpu), formatShare(peakCpu), formatBytes(peakBytes)],
  ]),
)}
${table(
  'Search for the limit',
  [limit?.steps[0]?.unit ?? '', 'p99', 'saturated'],
  (limit?.steps ?? []).map(({ rate, p99, saturated }) => [formatCount(rate), formatMs(p99), saturated]),
)}
${table(
  'Options',
  ['option', 'value'],
  Object.entries(options).map(([name, value]) => [name, String(value)]),
)}
</div></section>`;
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): Html | undefined {
  if (rows.length === 0) return undefined;
  return html`<div class="scroll"><table><caption>${title}</caption>
<thead><tr>${head.map(cell => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([name, ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map(cell => html`<td>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`;
}

/** The page's own files lie beside the sources, and beside what is compiled from them. */
function asset(name: string): string {
  return readFileSync(new URL(`../page/${name}`, import.meta.url), 'utf8');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
