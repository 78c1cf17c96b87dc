import type { IncomingMessage } from 'node:http';

/**
 * Makes a function that tells whether the page that sends a request may use this server: one of the server's own, or of an
 * allowed origin. Browsers name the origin of the page; other clients name none, and could name any.
 * @param allowed web origins; `*` allows all
 */
export function originCheck(allowed: string[]): (request: IncomingMessage) => boolean {
  const all = allowed.includes('*');
  return ({ headers }) => {
    const { origin, host = '' } = headers;
    if (all) return true;
    if (origin !== undefined) return allowed.includes(origin) || isHost(origin, host);
    // Requests of script and image tags carry no Origin, but browsers say so here. Without either, it is no page's.
    const site = headers['sec-fetch-site'];
    return site === undefined || site === 'same-origin' || site === 'none';
  };
}

/** Whether an origin is that of a host, which may name the port that the scheme implies. */
function isHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: originHost } = new URL(origin);
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === originHost && originHost !== '';
}
