import { time } from './format.ts';

const width = 300;
const height = 72;
/** Samples further apart than this have nothing known between them, in ms. */
const gapMs = 20_000;

export interface PlotProps {
  title: string;
  /** Oldest first. */
  points: { at: number; value: number }[];
  /** The end of the time shown, in ms since the epoch. */
  until: number;
  spanMs: number;
  format: (value: number) => string;
  /** Stands beside the title in place of the last value. */
  now?: string;
  /** A line below. */
  more?: string;
}

/** A figure over the last minutes: its value now, and its line, from zero to the greatest value. */
export function Plot({ title, points, until, spanMs, format, now, more }: PlotProps) {
  const greatest = Math.max(0, ...points.map(({ value }) => value));
  const last = points.at(-1)?.value;
  const value = now ?? (last === undefined ? '–' : format(last));
  const x = (at: number) => Math.round((1 - (until - at) / spanMs) * width * 10) / 10;
  const y = (each: number) => Math.round((height - 2 - (each / (greatest || 1)) * (height - 6)) * 10) / 10;
  const runs = split(points);
  const summary = last === undefined ? 'nothing known yet' : `now ${value}, greatest ${format(greatest)}`;
  return (
    <figure class="plot">
      <figcaption>
        <span class="label">{title}</span>
        <span class="value">{value}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title} in the last ${time(spanMs)}: ${summary}.`}
      >
        <line class="axis" x1="0" x2={width} y1={height - 1} y2={height - 1} />
        {runs.map(run => {
          const line = run.map(point => `${x(point.at)},${y(point.value)}`).join(' ');
          const [first, end] = [x(run[0]?.at ?? 0), x(run.at(-1)?.at ?? 0)];
          return (
            <g key={run[0]?.at}>
              <polygon class="area" points={`${first},${height - 1} ${line} ${end},${height - 1}`} />
              <polyline class="line" points={line} />
            </g>
          );
        })}
      </svg>
      <p class="scale">
        <span>{time(spanMs)} ago</span>
        <span>{more ?? `at most ${format(greatest)}`}</span>
      </p>
    </figure>
  );
}

function split(points: PlotProps['points']): PlotProps['points'][] {
  const runs: PlotProps['points'][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && point.at - last.at <= gapMs) run.push(point);
    else runs.push([point]);
  }
  return runs;
}
