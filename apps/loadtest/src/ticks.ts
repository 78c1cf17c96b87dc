const timeStepsMs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map(
  seconds => seconds * 1000,
);

/** A scale of numbers: from its first tick, or `from`, to `to`. */
export interface Scale {
  readonly ticks: readonly number[];
  /** Where a value is, from 0 to 1. */
  place(value: number): number;
}

/** From 0 to a round number that is not below the highest value. */
export function linearScale(values: readonly number[], mostTicks = 5): Scale {
  const highest = Math.max(...values, 0) || 1;
  const step = roundUp(highest / mostTicks, highest > 10 * mostTicks ? [1, 2, 2.5, 5, 10] : [1, 2, 5, 10]);
  const steps = Math.ceil(highest / step - 1e-9);
  const ticks = Array.from({ length: steps + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return { ticks, place: value => clamp(value / (steps * step)) };
}

/** Between two numbers of the series 1, 2, 5, 10, 20 … that hold all values; what is not above 0 lies at the bottom. */
export function logScale(values: readonly number[], mostTicks = 6): Scale {
  const positive = values.filter(value => value > 0);
  if (positive.length === 0) return linearScale([]);
  const lowest = roundDown(Math.min(...positive));
  const highest = Math.max(roundUp(Math.max(...positive)), lowest * 10);
  const all: number[] = [];
  for (let tick = lowest; tick < highest * 1.01; tick = roundUp(tick * 1.01)) all.push(tick);
  const place = (value: number): number =>
    value <= 0 ? 0 : clamp(Math.log(value / lowest) / Math.log(highest / lowest));
  if (all.length <= mostTicks) return { ticks: all, place };
  // Tens are what people read a scale by, and its ends.
  const tens = all.filter(tick => Number.isInteger(Number(Math.log10(tick).toFixed(9))));
  const ends = [lowest, highest].filter(end => tens.every(ten => Math.abs(place(end) - place(ten)) > 0.12));
  return { ticks: [...tens, ...ends].toSorted((one, other) => one - other), place };
}

/** From `fromMs` to `toMs`, with ticks at whole seconds, minutes or hours. */
export function timeScale(fromMs: number, toMs: number, mostTicks = 5): Scale {
  const spanMs = Math.max(1, toMs - fromMs);
  const stepMs = timeStepsMs.find(step => spanMs / step <= mostTicks) ?? 86_400_000;
  const first = Math.ceil(fromMs / stepMs);
  const count = Math.floor(toMs / stepMs) - first + 1;
  const ticks = Array.from({ length: Math.max(0, count) }, (_, at) => (first + at) * stepMs);
  return { ticks, place: value => clamp((value - fromMs) / spanMs) };
}

function roundUp(value: number, factors: readonly number[] = [1, 2, 5, 10]): number {
  const ten = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const factor = factors.find(each => each * ten >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * ten).toPrecision(2));
}

function roundDown(value: number): number {
  const ten = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const factor = [5, 2, 1].find(each => each * ten <= value * (1 + 1e-9)) ?? 1;
  return Number((factor * ten).toPrecision(2));
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
