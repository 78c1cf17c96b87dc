import { adviceFor } from './advice.ts';
import { errorCode } from './error-code.ts';
import { type Closed, LightClient } from './light-client.ts';

const withinMs = 5000;

/** A target cannot be loaded. The message is for whoever named it. */
export class TargetError extends Error {}

/**
 * Connects once, and leaves.
 * @throws TargetError with a sentence that says what is wrong
 */
export async function reachTarget(url: string): Promise<void> {
  const closed = await new Promise<Closed | undefined>(resolve => {
    const handlers = {
      connected: () => {
        client.close();
        resolve(undefined);
      },
      event: () => undefined,
      closed: resolve,
    };
    const client = new LightClient(url, handlers, { timeoutMs: withinMs });
  });
  if (closed) throw new TargetError(explain(url, closed));
}

function explain(url: string, closed: Closed): string {
  const code = errorCode(closed);
  const [, status] = /^HTTP_(\d+)$/.exec(code) ?? [];
  if (status === '404') return `${url} answers, but has no Socket.IO server at /socket.io/ (HTTP status 404).`;
  if (status !== undefined) return `${url} answers, but takes no WebSocket connection (HTTP status ${status}).`;
  const known = adviceFor(code);
  if (known) return `${url} refused the first connection. ${known}`;
  const sentences: Record<string, string> = {
    ECONNREFUSED: `Nothing listens at ${url}. Is it running? RATE_LIMITS=off npm start runs a cluster here.`,
    ENOTFOUND: `There is no host of the name in ${url}.`,
    ECONNRESET: `${url} closed the connection at once. Is it http or https?`,
    EPROTO: `${url} does not speak https.`,
    NO_CONNECTION: `${url} did not answer within ${withinMs / 1000} s.`,
  };
  return sentences[code] ?? `${url} cannot be reached: ${closed.reason}`;
}
