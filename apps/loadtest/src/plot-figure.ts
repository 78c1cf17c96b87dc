import { type Html, html, jsonScript } from './html.ts';
import type { Plot, Series } from './plots.ts';

/** The drawing is stretched to the room there is; only its lines keep their width, and text is not part of it. */
const size = 1000;
/** Two labels nearer than this part of the height would overlap. */
const labelGap = 0.085;

/** A plot with its numbers: `coarse` is the same plot with so few points that one can read them. */
export function plotFigure(plot: Plot, coarse: Plot): Html {
  const { title, about, xScale, formatX, yScale, formatY, mark } = plot;
  return html`<figure class="plot" data-axis="${plot.axis}">
<figcaption><h3>${title}</h3><p>${about}</p></figcaption>
<div class="chart" role="group" tabindex="0" aria-label="${inWords(plot)}">
<svg viewBox="0 0 ${size} ${size}" preserveAspectRatio="none" aria-hidden="true">
${yScale.ticks.map(tick => rule(0, 1, 1 - yScale.place(tick)))}
${mark && html`<path class="mark" d="M${at(xScale.place(mark.x))} 0V${size}"/>`}
${plot.series.map(series => drawn(plot, series))}
</svg>
<div aria-hidden="true">
${yScale.ticks.map(tick => html`<span class="y" style="top:${percent(1 - yScale.place(tick))}">${formatY(tick)}</span>`)}
${xScale.ticks.map(tick => html`<span class="x" style="left:${percent(xScale.place(tick))}">${formatX(tick)}</span>`)}
${mark && html`<span class="mark" style="left:${percent(xScale.place(mark.x))}">${mark.label}</span>`}
${labels(plot).map(({ text, tone, y }) => html`<span class="end ${tone}" style="top:${percent(y)}">${text}</span>`)}
</div>
<div class="cursor" hidden></div><div class="tip" role="status" hidden></div>
</div>
<details><summary>Numbers<span class="unseen"> of ${title}</span></summary><div class="scroll">${table(coarse)}</div></details>
${jsonScript(forHover(plot))}
</figure>`;
}

function rule(from: number, to: number, y: number): Html {
  return html`<path class="rule" d="M${at(from)} ${at(y)}H${at(to)}"/>`;
}

function drawn(plot: Plot, { values, tone, drawn = 'line' }: Series): Html {
  const points = values.map((value, index) =>
    value === undefined
      ? undefined
      : { x: at(plot.xScale.place(plot.xs[index] ?? 0)), y: at(1 - plot.yScale.place(value)) },
  );
  const runs: { x: number; y: number }[][] = [];
  points.forEach((point, index) => {
    if (point === undefined) return;
    const run = drawn !== 'points' && points[index - 1] !== undefined ? runs.at(-1) : undefined;
    if (run) run.push(point);
    else runs.push([point]);
  });
  const line = runs
    // A line without a length is drawn as a dot.
    .map(run => `M${run.map(({ x, y }) => `${x} ${y}`).join('L')}${run.length === 1 ? 'h0' : ''}`)
    .join('');
  const areas = runs.map(run => {
    const [first, last] = [run[0], run.at(-1)];
    return first && last ? `M${first.x} ${size}L${run.map(({ x, y }) => `${x} ${y}`).join('L')}V${size}Z` : '';
  });
  return html`${drawn === 'area' ? html`<path class="fill ${tone}" d="${areas.join('')}"/>` : undefined}
<path class="line ${drawn} ${tone}" d="${line}"/>`;
}

/** Where the labels of the lines go: at their ends, moved apart as far as needed. */
function labels({ series, yScale }: Plot): { text: string; tone: string; y: number }[] {
  const groups = new Map<string, { tone: string; ends: number[] }>();
  // Where lines end together, the last one is the highest: percentiles come in that order.
  for (const { name, label = name, tone, values } of series.toReversed()) {
    const end = values.findLast(value => value !== undefined);
    if (end === undefined) continue;
    const group = groups.get(label) ?? { tone, ends: [] };
    group.ends.push(1 - yScale.place(end));
    groups.set(label, group);
  }
  const placed = [...groups]
    .map(([text, { tone, ends }]) => ({ text, tone, y: ends.reduce((sum, end) => sum + end, 0) / ends.length }))
    .toSorted((one, other) => one.y - other.y);
  let free = 0;
  for (const label of placed) {
    label.y = Math.max(label.y, free);
    free = label.y + labelGap;
  }
  let lowest = 1;
  for (const label of placed.toReversed()) {
    label.y = Math.min(label.y, lowest);
    lowest = label.y - labelGap;
  }
  return placed;
}

/** For who cannot see it. */
function inWords({ title, about, series, formatY }: Plot): string {
  const sentences = series.map(({ name, values }) => {
    const known = values.filter(value => value !== undefined);
    const last = known.at(-1);
    if (last === undefined) return `${name}: nothing.`;
    const [low, high] = [Math.min(...known), Math.max(...known)];
    return `${name}: from ${formatY(low)} to ${formatY(high)}, at the end ${formatY(last)}.`;
  });
  return `${title}, ${about}. ${sentences.join(' ')}`;
}

function table({ title, xName, xs, formatX, formatY, series }: Plot): Html {
  const cell = (value: number | undefined): string => (value === undefined ? '–' : formatY(value));
  return html`<table><caption class="unseen">${title}</caption>
<thead><tr><th scope="col">${xName}</th>${series.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${xs.map(
    (x, index) =>
      html`<tr><th scope="row">${formatX(x)}</th>${series.map(({ values }) => html`<td>${cell(values[index])}</td>`)}</tr>
`,
  )}</tbody></table>`;
}

/** What the script of the page needs: places as parts of width and height, and the texts to show. */
function forHover({ xs, xScale, formatX, yScale, formatY, series }: Plot): unknown {
  const short = (share: number): number => Number(share.toFixed(4));
  return {
    xs: xs.map(x => short(xScale.place(x))),
    labels: xs.map(formatX),
    series: series.map(({ name, tone, values }) => ({
      name,
      tone,
      ys: values.map(value => (value === undefined ? null : short(1 - yScale.place(value)))),
      texts: values.map(value => (value === undefined ? '' : formatY(value))),
    })),
  };
}

function at(share: number): number {
  return Number((share * size).toFixed(1));
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`;
}
