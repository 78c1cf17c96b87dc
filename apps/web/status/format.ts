const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fewDigits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export function count(value: number): string {
  return numbers.format(value);
}

/** A rate, or anything else of which the first digits say enough. */
export function rate(value: number): string {
  return value >= 1000 ? numbers.format(value) : fewDigits.format(value);
}

export function bytes(value: number): string {
  return value < 1e9 ? `${numbers.format(value / 1e6)} MB` : `${fewDigits.format(value / 1e9)} GB`;
}

/** A length of time in its greatest unit, or two of them where one says too little. */
export function time(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${ms < 10_000 ? (ms / 1000).toFixed(1) : seconds} s`;
  if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  return two(Math.floor(minutes / 60 / 24), 'd', Math.floor(minutes / 60) % 24, 'h');
}

function two(great: number, greatUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${great} ${greatUnit}` : `${great} ${greatUnit} ${small} ${smallUnit}`;
}
