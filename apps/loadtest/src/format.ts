const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const fewCounts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const significant = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 2 });

/** `12,345`; below 100 with one decimal if there is a fraction. */
export function formatCount(count: number): string {
  return (Math.abs(count) < 100 ? fewCounts : counts).format(count);
}

/** `0.42 ms`, `3.1 ms`, `340 ms`, `1.25 s`, `90 s`. */
export function formatMs(ms: number): string {
  if (ms >= 9_995) return `${fewCounts.format(ms / 1000)} s`;
  if (ms >= 999.5) return `${Number((ms / 1000).toFixed(2))} s`;
  return `${ms < 10 ? significant.format(ms) : counts.format(ms)} ms`;
}

/** `140 MB`, of a million bytes each. */
export function formatBytes(bytes: number): string {
  return bytes >= 9.995e8 ? `${Number((bytes / 1e9).toFixed(2))} GB` : `${counts.format(bytes / 1e6)} MB`;
}

/** `85 %`; of one core, may be more than 100. */
export function formatShare(share: number): string {
  return `${counts.format(share * 100)} %`;
}

/** `01:05`, or `1:01:05` from an hour on. */
export function formatClock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  const rest = `${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
  return seconds < 3600 ? rest : `${Math.floor(seconds / 3600)}:${rest}`;
}

/** Names from elsewhere, made safe for a terminal: control characters would move its cursor or worse. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}
