const msOf = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a duration such as `250ms`, `180s`, `1.5m` or `2h`. @returns ms; undefined when it is none */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * msOf[unit as keyof typeof msOf];
}

/** Writes a duration with two digits that count, such as `1.4 ms` or `3.2 s`. */
export function formatDuration(ms: number): string {
  if (ms >= 99_500) return `${Math.round(ms / 1000)} s`;
  if (ms >= 995) return `${Number((ms / 1000).toPrecision(2))} s`;
  return `${Number(ms.toPrecision(2))} ms`;
}
