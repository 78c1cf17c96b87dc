import type { Closed } from './light-client.ts';

/** A short name for why a connection is no more: that of the server or the system where there is one. */
export function errorCode({ how, reason, data }: Closed): string {
  const { code } = (data ?? {}) as { code?: unknown };
  if (typeof code === 'string') return code;
  if (how !== 'unreachable') return { refused: 'REFUSED', left: 'SENT_AWAY', lost: 'CONNECTION_LOST' }[how];
  const [, status] = /^Unexpected server response: (\d+)$/.exec(reason) ?? [];
  if (status !== undefined) return `HTTP_${status}`;
  return /^[A-Z_]+$/.test(reason) ? reason : 'NO_CONNECTION';
}
